"""`file_search`: the model searches the files of its assistant and thread, and cites what it found."""

from __future__ import annotations

from typing import Any

from ..accounts.usage import UsageMeter
from ..errors import InvalidRequest
from ..inference.chat import Json
from ..inference.models import Models
from ..knowledge.passages import Passage
from ..knowledge.search import Search
from ..settings import Settings
from ..store.store import Store
from ..wire.runs import Run
from ..wire.steps import FileSearchCall, FileSearchResult, FileSearchToolCall, ResultText, UsedRanking
from ..wire.tools import FileSearchOptions, FileSearchTool
from ..wire.vector_search import LONGEST_QUERY, MOST_QUERIES
from .passages import fitting, told
from .tool import Report, Scope, Served, ServerFunction

#: Chunks where the tool's options say nothing, for models of a small context and others: OpenAI's numbers.
_FEW, _MANY = 5, 20
#: Queries that the model is offered in a call; it may well send more.
_MOST_ASKED = 4
#: The largest context, in tokens, that counts as small.
_SMALL_CONTEXT = 16_385
#: The most tokens of what one call tells the model: OpenAI's number.
_MOST_TOLD = 16_000
#: The largest share of a model's context that files are given as whole.
_WHOLE_SHARE = 4

_DESCRIPTION = (
    "Search in the files that the user has uploaded. Call it whenever the answer may stand in these files. A query "
    "has the words that the passage is likely to use; ask several at once where the question has several parts."
)
_NOTHING = "Nothing in the files fits that. Search with other words, or say that the files do not tell."
_UNREAD = " Some of the files are still being read: what is in them was not searched."


class FileSearch:
    """The tool."""

    type = "file_search"

    def __init__(self, store: Store, search: Search, models: Models, usage: UsageMeter, settings: Settings) -> None:
        self._store = store
        self._search = search
        self._models = models
        self._usage = usage
        self._settings = settings

    async def functions(self, project: str, run: Run, wanted: FileSearchTool) -> list[ServerFunction]:
        """See `ServerTool`."""
        queries = {
            "type": "array",
            "items": {"type": "string"},
            "minItems": 1,
            "maxItems": _MOST_ASKED,
            "description": "What to look for, in the language of the files.",
        }
        definition = {
            "description": _DESCRIPTION,
            "parameters": {"type": "object", "properties": {"queries": queries}, "required": ["queries"]},
        }
        # A model that is led to calls by prompts often only says that it would have to search, and does not.
        led = self._models.resolve(run.model).prompted
        first = led and bool(await self._store.search.stores_of(project, run.assistant_id, run.thread_id))
        return [ServerFunction(self.type, self.type, definition, self._serve, _shown, first=first)]

    async def _serve(self, scope: Scope, call: FileSearchToolCall, arguments: Json, report: Report) -> Served:
        queries, options = _queries(arguments), _options(scope.run)
        run, project, ranking = scope.run, scope.project, options.ranking_options
        threshold = ranking.score_threshold if ranking else 0.0
        stores = await self._store.search.stores_of(project, run.assistant_id, run.thread_id)
        settled = await self._search.settled(project, stores, within=self._settings.ingest_wait)
        context = self._models.resolve(run.model).context_length
        found = None
        if not threshold:
            most = min(self._settings.whole_files_tokens, context // _WHOLE_SHARE)
            found = await self._search.whole(project, stores, most)
        if found is None:
            limit = options.max_num_results or (_FEW if context <= _SMALL_CONTEXT else _MANY)
            found = await self._search.search(scope.caller, stores, queries, limit, threshold=threshold)
        self._usage.record(scope.caller, "file_search")
        passages = fitting(found, scope.number, min(_MOST_TOLD, scope.room))
        shown = FileSearchCall(
            queries=queries,
            ranking_options=UsedRanking(
                ranker=(ranking and ranking.ranker) or "default_2024_08_21", score_threshold=threshold
            ),
            results=list(map(_result, passages)),
        )
        output = told(passages, scope.number) if passages else _NOTHING
        return Served(FileSearchToolCall(id=call.id, file_search=shown), output if settled else output + _UNREAD)


def _shown(identifier: str, arguments: str) -> FileSearchToolCall:
    return FileSearchToolCall(id=identifier)


def _queries(arguments: Json) -> list[str]:
    """The queries of a call, each once; models also write one alone, and call it `query`.

    Raises:
        InvalidRequest: there are none, or what there is are no queries.
    """
    given: Any = arguments.get("queries") or arguments.get("query")
    queries: list[Any] = given if isinstance(given, list) else [given]
    texts = [one.strip() for one in queries if isinstance(one, str)]
    if len(texts) != len(queries) or not all(0 < len(one) <= LONGEST_QUERY for one in texts):
        raise InvalidRequest(
            f"'queries' must be a list of texts of 1 to {LONGEST_QUERY} characters each. Call the tool again."
        )
    return [one.replace("\x00", "\ufffd") for one in dict.fromkeys(texts)][:MOST_QUERIES]


def _options(run: Run) -> FileSearchOptions:
    for tool in run.tools:
        if isinstance(tool, FileSearchTool) and tool.file_search:
            return tool.file_search
    return FileSearchOptions()


def _result(passage: Passage) -> FileSearchResult:
    return FileSearchResult(
        file_id=passage.file,
        file_name=passage.filename,
        score=passage.score,
        content=[ResultText(text=passage.text)],
    )
