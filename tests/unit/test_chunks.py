"""Documents are cut into chunks that cover them, overlap, and end where that hurts least."""

from __future__ import annotations

from itertools import pairwise

import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st

from retinue.inference.tokenizers import encodings, token_ends
from retinue.knowledge.chunks import ENCODING, cut
from retinue.knowledge.extract import Document, Place
from retinue.store.chunk import Chunk

pieces = st.sampled_from(["word ", "长句子。", "\n", "\n\n", "End. ", "x" * 500, "🙂" * 80, "é", "  ", "12345", "。\n"])
texts = st.lists(pieces, min_size=1, max_size=200).map("".join).filter(lambda text: not text.isspace())


def chunks_of(text: str, size: int, overlap: int, *places: Place) -> list[Chunk]:
    return cut(Document(text, list(places)), token_ends(ENCODING, text), size, overlap)


def tokens_alone(text: str) -> int:
    return len(encodings._load(ENCODING).encode_ordinary(text))  # pyright: ignore[reportPrivateUsage]


@given(texts, st.integers(100, 400), st.floats(0, 0.5))
def test_chunks_cover_the_text_in_order_and_keep_their_size(text: str, size: int, share: float):
    overlap = int(size * share)
    chunks = chunks_of(text, size, overlap)
    ends = token_ends(ENCODING, text)
    assert all(text[chunk.start : chunk.start + len(chunk.text)] == chunk.text for chunk in chunks)
    assert all(0 < chunk.tokens <= size and tokens_alone(chunk.text) <= size for chunk in chunks)
    assert chunks[0].start == 0
    assert chunks[-1].start + len(chunks[-1].text) == len(text)
    for before, after in pairwise(chunks):
        end = before.start + len(before.text)
        assert before.start < after.start <= end < after.start + len(after.text)
        assert sum((after.start < ends) & (ends <= end)) <= overlap


@given(st.text(max_size=300))
def test_tokens_end_where_they_should(text: str):
    """The characters that tiktoken says begin with the next token, except that it counts some to the token before."""
    text = text.encode("utf-8", "ignore").decode()
    encoding: tiktoken.Encoding = encodings._load(ENCODING)  # pyright: ignore[reportPrivateUsage]
    tokens = encoding.encode_ordinary(text)
    ends = token_ends(ENCODING, text).tolist()
    assert len(ends) == len(tokens)
    expected = [len(encoding.decode_bytes(tokens[: n + 1])) for n in range(len(tokens))]
    characters = [len(text[:index].encode()) for index in range(len(text) + 1)]
    assert ends == [next(index for index, size in enumerate(characters) if size >= end) for end in expected]


@pytest.mark.parametrize("text", ["a" * 100_000, " " * 1_000_000, "\n" * 100_000, "好" * 50_000, "word " * 20_000])
def test_long_texts_are_counted_in_pieces(text: str):
    ends = token_ends(ENCODING, text)
    assert ends[-1] == len(text)
    assert (ends[1:] >= ends[:-1]).all()
    if len(text) < 900_000:  # tiktoken itself fails on more blanks in a row
        assert abs(len(ends) - tokens_alone(text)) <= len(text) // 8000


def test_a_short_text_is_one_chunk():
    assert chunks_of("A short text.", 100, 50) == [Chunk(0, 4, "A short text.")]


def test_chunks_end_with_paragraphs_rather_than_lines_sentences_and_words():
    line = "Some words. " * 4
    text = f"{line}\n{line}\n\n{line}\n" * 20
    *chunks, _ = chunks_of(text, 120, 0)
    assert all(chunk.text.endswith("\n\n") for chunk in chunks)


def test_chunks_begin_with_sentences():
    text = "".join(f"Sentence number {number} is here. " for number in range(200))
    chunks = chunks_of(text, 200, 100)
    assert len(chunks) > 10
    assert all(chunk.text.startswith("Sentence number") for chunk in chunks)


def test_chinese_is_cut_behind_sentences():
    *chunks, _ = chunks_of("这是一个不长的句子。" * 100, 128, 32)
    assert all(chunk.text.endswith("。") for chunk in chunks)


def test_text_without_any_break_is_cut_all_the_same():
    chunks = chunks_of("x" * 10_000, 100, 50)
    assert 90 <= max(chunk.tokens for chunk in chunks) <= 100


def test_blank_stretches_make_no_chunks():
    chunks = chunks_of("Before." + "\n" * 50_000 + "After.", 100, 0)
    assert all(chunk.text.strip() for chunk in chunks)
    assert (chunks[0].text.strip(), chunks[-1].text.strip()) == ("Before.", "After.")


def test_a_chunk_ends_with_its_page_or_section_if_it_is_nearly_full():
    page = "Words of a page. " * 18
    text = page * 3
    places = [Place(number * len(page), number + 1, f"Part {number}") for number in range(3)]
    chunks = chunks_of(text, 100, 0, *places)
    assert [(chunk.text, chunk.page, chunk.section) for chunk in chunks] == [
        (page, number + 1, f"Part {number}") for number in range(3)
    ]


def test_a_chunk_has_the_page_and_section_of_the_most_of_it():
    short, long = "A title. ", "More of it. " * 10
    first = Place(0, 1, None)
    second, third = Place(len(short), 2, "Rules"), Place(len(short) + len(long), 2, "Notes")
    [chunk] = chunks_of(short + long + short, 100, 0, first, second, third)
    assert (chunk.page, chunk.section) == (2, "Rules")


def test_a_document_that_begins_without_a_place():
    [chunk] = chunks_of("Before. Then more of the first section.", 100, 0, Place(8, None, "First"))
    assert (chunk.page, chunk.section) == (None, "First")
