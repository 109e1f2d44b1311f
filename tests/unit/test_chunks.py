"""Text is cut into chunks that cover it, overlap, and end where that hurts least."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from retinue.inference.tokens import estimate_tokens
from retinue.knowledge.chunks import cut

texts = st.lists(
    st.sampled_from(["word ", "长句子。", "\n", "\n\n", "End. ", "x" * 500, "🙂" * 80, "é", "  "]),
    min_size=1,
    max_size=200,
).map("".join)


@given(texts, st.integers(100, 400), st.floats(0, 0.5))
def test_chunks_cover_the_text_in_order_and_keep_their_size(text: str, size: int, share: float):
    overlap = int(size * share)
    chunks = cut(text, size, overlap)
    assert all(text[chunk.start : chunk.start + len(chunk.text)] == chunk.text for chunk in chunks)
    assert all(chunk.tokens == estimate_tokens(chunk.text) <= size for chunk in chunks)
    assert chunks[0].start == 0
    assert chunks[-1].start + len(chunks[-1].text) == len(text)
    for before, after in pairwise(chunks):
        end = before.start + len(before.text)
        assert before.start < after.start <= end < after.start + len(after.text)
        assert estimate_tokens(text[after.start : end]) <= max(overlap, 1)


def test_a_short_text_is_one_chunk():
    [chunk] = cut("A short text.", 100, 50)
    assert (chunk.start, chunk.text) == (0, "A short text.")


def test_chunks_end_with_paragraphs_rather_than_lines_sentences_and_words():
    line = "Some words. " * 2
    text = f"{line}\n{line}\n\n{line}\n" * 20
    *chunks, _ = cut(text, 120, 0)
    assert all(chunk.text.endswith("\n\n") for chunk in chunks)


def test_chinese_is_cut_behind_sentences():
    *chunks, _ = cut("这是一个不长的句子。" * 100, 128, 32)
    assert all(chunk.text.endswith("。") for chunk in chunks)


def test_text_without_any_break_is_cut_all_the_same():
    chunks = cut("x" * 10_000, 100, 50)
    assert max(chunk.tokens for chunk in chunks) == 100
