"""The one reader of what model servers answer, in any dialect and whatever its wrapping.

``frames.py`` cuts the bytes into JSON texts, this module reads their shapes, ``thinking.py`` takes out what is no
answer. The dialect is told by the shape of an event, not by who was asked: gateways answer in the dialect of whatever
stands behind them. Read are OpenAI's chat completions (streamed, whole, and the older completions), Anthropic's
messages, OpenAI's responses, and the own formats of Ollama, TGI, Gemini and Cohere; ``foreign.py`` has others.

Nothing is lost in silence: what cannot be read is counted in ``unread_bytes``, and a finish marker that no table knows
is named in ``note``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from roma_core.errors import ErrorCode, LLMError
from roma_core.llm.base import FinishReason, LLMDelta
from roma_core.llm.providers.faults import Private, fault, from_response
from roma_core.llm.providers.foreign import to_chunk, with_usual_names
from roma_core.llm.providers.frames import KEEP_ALIVE, FrameReader, FrameTooLong, WireFrame, read_json_like
from roma_core.llm.providers.thinking import AnswerFilter, AnswerPart
from roma_core.llm.providers.usage import UsageCounts

FINISH: dict[str, FinishReason] = {
    **dict.fromkeys(
        "stop eos eostoken endturn stopsequence stoptoken stopstring complete completed done end finish finished "
        "normal success eosfound stopstringfound stopped eot eog endoftext imend stopword stopwords".split(),
        "stop",
    ),
    **dict.fromkeys(
        "length maxtokens modellength maxoutputtokens maxlength tokenlimit contextlength incomplete errorlimit "
        "modelcontextwindowexceeded contextlengthreached maxpredictedtokensreached pauseturn maxnewtokens "
        "maxcompletiontokens truncated lengthlimit tokenlimitreached contextwindowexceeded limit".split(),
        "length",
    ),
    **dict.fromkeys(
        "contentfilter contentfiltered safety recitation blocklist prohibitedcontent spii sensitive moderation "
        "guardrailintervened errortoxic contentmoderation".split(),
        "content_filter",
    ),
    **dict.fromkeys("refusal refused".split(), "refusal"),
    **dict.fromkeys("toolcalls functioncall tooluse toolcall".split(), "tool"),
}
"""Finish markers of all servers, in lower case and without anything but letters."""

BROKEN = frozenset(
    "abort aborted error cancelled canceled usercancel insufficientsystemresource malformedfunctioncall networkerror "
    "failed failure timeout unexpectedtoolcall errored interrupted preempted".split()
)
"""Markers that say that the answer broke off."""

_NO_MARKER = frozenset({"", "null", "none", "unspecified"})
_NO_LETTER = re.compile(r"[^a-z]+")
_SURROGATE = re.compile("[\ud800-\udfff]")

_DELTA_NAMES = frozenset(
    "role content refusal reasoning reasoning_content reasoning_details thinking thinking_blocks tool_calls "
    "function_call annotations audio name provider_specific_fields extra_content images finish_reason citations "
    "tool_call_id padding obfuscation id type logprobs reasoning_text token_ids context index".split()
)
_REASONING_NAMES = ("reasoning_content", "reasoning", "thinking", "reasoning_text")
_TEXT_TYPES = frozenset({"text", "output_text", "text_delta", None})
_REASONING_TYPES = frozenset({"thinking", "reasoning", "reasoning.text", "thinking_delta", "summary_text"})
_SILENT_KINDS = frozenset(
    "ping content_block_stop signature_delta message-start content-start content-end tool-plan-delta "
    "tool-call-start tool-call-delta tool-call-end citation-start citation-end".split()
)
_BARE_ERROR_NAMES = frozenset("message msg detail Message error_message request_id type object id".split())
_CONVERSE_NAMES = frozenset(
    "messageStart contentBlockStart contentBlockDelta contentBlockStop messageStop metadata".split()
)
_BEGINS_FRAME = ("{", "[", "data:")
"""Beginnings of an event's data that a gateway has encoded once more."""
_USAGE_NAMES = frozenset({"usage", "id", "object", "created", "model", "error", "choices", "system_fingerprint"})
_LEAST_PIECE_CHARS = 8
"""A last chunk that repeats the piece before it is told from text only when it is at least this long."""
_LEAST_SUMMARY_CHARS = 20
"""A last chunk that repeats the whole text is told from text only when it is at least this long."""


class WireReader:
    """Reads one response. ``feed`` takes bytes and gives deltas; ``close`` gives the last ones.

    ``read_tool_calls`` makes the arguments of a tool call the answer: a way to structured output. ``private`` is never
    quoted in an error.

    ::

        reader = WireReader("vLLM")
        deltas = reader.feed(b'data: {"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]}\\n\\n')
        deltas += reader.close()  # raises LLMError when the answer is not whole
        assert "".join(d.text for d in deltas) == "Hi" and reader.finish == "stop"
    """

    def __init__(
        self,
        server: str,
        headers: Mapping[str, str] | None = None,
        *,
        read_tool_calls: bool = False,
        private: Private = (),
    ) -> None:
        self.finish: FinishReason | None = None
        self.ended = False
        """The server has said that nothing follows."""
        self.note = ""
        """A remark about an answer that is odd although it is whole."""
        self.unread_bytes = 0
        self.thought = False
        """Reasoning has come, in a field of its own or inside the text."""
        self.counts = UsageCounts()
        self._server = server
        self._headers = headers or {}
        self._private = private
        self._read_tool_calls = read_tool_calls
        self._frames = FrameReader()
        self._filter = AnswerFilter()
        self._deltas: list[LLMDelta] = []
        self._texts: list[str] = []
        self._choice: object = None
        self._surrogate = ""
        self._last_finish: object = None
        self._unknown_marker = ""
        self._both_markers = False
        """Anthropic's streams end with two events, and an answer is whole with both of them."""
        self._is_unmarked = False
        """The format has no finish marker: a whole document is a whole answer."""
        self._called_tool = False
        self._read_any = False
        self._declined = False
        self._error: LLMError | None = None

    @property
    def complete(self) -> bool:
        """Return whether the whole answer has come."""
        if self._error is not None:
            return False
        if self._both_markers:
            return self.ended and self.finish is not None
        return self.finish is not None

    @property
    def has_text(self) -> bool:
        return bool(self._texts)

    def feed(self, chunk: bytes) -> list[LLMDelta]:
        """Return the deltas that ``chunk`` completes.

        An error inside the stream ends it (``ended``); ``close`` raises it, so that the text before it is not lost.
        """
        try:
            for frame in self._frames.feed(chunk):
                self._take_frame(frame)
        except FrameTooLong:
            self._error, self.ended = self._make_malformed(), True
        except LLMError as error:
            self._error, self.ended = error, True
        return self._read_given()

    def close(self) -> list[LLMDelta]:
        """Return the last deltas. Raises ``LLMError`` when the answer is not whole, or an error stood in it."""
        if self._error is not None:
            raise self._error
        whole = self._frames.layout == "document"
        unread_bytes = self._frames.unread_bytes
        if not self.ended:
            # Of what stands behind the end no more may have come than a piece of a line.
            for frame in self._frames.close():
                self._take_frame(frame)
            unread_bytes = self._frames.unread_bytes
        if whole and self._is_unmarked and self.has_text:
            self.ended = True
        for part in self._filter.close():
            self._give(part)
        self._settle_finish()
        self.unread_bytes += unread_bytes + self._filter.dropped_chars
        if not self.complete:
            raise self._incomplete(whole)
        return self._read_given()

    # --- frames ---

    def _read_given(self) -> list[LLMDelta]:
        deltas, self._deltas = self._deltas, []
        return deltas

    def _take_frame(self, frame: WireFrame) -> None:
        data = frame.data
        if data[:6].upper() == "[DONE]":
            self.ended = True
            return
        if data.startswith("data:"):
            self._take_frame(WireFrame(frame.event, data.removeprefix("data:").strip()))
            return
        try:
            event = json.loads(data)
        except ValueError:
            event = read_json_like(data)
        if event is None and data != "null":
            self._take_no_json(frame)
            return
        if isinstance(event, str) and event.lstrip().startswith(_BEGINS_FRAME):
            self._take_frame(WireFrame(frame.event, event.strip()))
        elif isinstance(event, dict):
            self._take(event, frame)
        elif isinstance(event, list) and event and all(isinstance(part, dict) for part in event):
            for part in event:
                self._take(part, frame)
        elif event is not None:
            raise self._make_malformed()

    def _take_no_json(self, frame: WireFrame) -> None:
        data = frame.data.strip()
        if data.lower() in KEEP_ALIVE or data.startswith(":"):
            return
        if frame.event == "error":
            raise self._make_refusal(data)
        if self._frames.layout == "document" or data.startswith(("<", "{", "[")):
            raise self._make_malformed(data)
        self.unread_bytes += len(data.encode())

    def _take(self, event: dict[str, Any], frame: WireFrame) -> None:
        """Read one event, by its shape."""
        event = with_usual_names(event)
        if _at(event, "base_resp", "status_code"):
            raise self._make_refusal(event)
        if isinstance(event.get("result"), dict) and event.get("success"):
            event = event["result"]
        if event.get("error") or frame.event == "error" or event.get("object") == "error":
            raise self._make_refusal(event)
        if usage := event.get("usage"):
            self.counts.add(usage)
        choices = event.get("choices")
        if choices is not None:
            self._take_choices(choices, event, frame)
            return
        kind = event.get("type")
        if isinstance(kind, str) and self._take_kind(kind, event):
            self._read_any = True
        elif not self._take_own_format(event):
            self._leave_unread(event, frame)

    def _leave_unread(self, event: dict[str, Any], frame: WireFrame) -> None:
        """Count an event of an unknown shape, or raise the error that it is."""
        says = [event.get(name) for name in ("message", "msg", "detail", "Message", "error_message", "error_msg")]
        states = {"code", "status", "statusCode", "__type", "error_code", "errors", "success"} & event.keys()
        sentence = any(isinstance(value, str) and value for value in says)
        is_bare = sentence and self._frames.layout != "document" and event.keys() <= _BARE_ERROR_NAMES
        if (
            (sentence and states)
            or is_bare
            or event.get("errors")
            or str(frame.event).endswith(("Exception", "exception"))
        ):
            raise self._make_refusal(event)
        is_usage = bool(event.get("usage")) and event.keys() <= _USAGE_NAMES
        if not is_usage:
            self.unread_bytes += len(frame.data.encode())

    # --- OpenAI's dialect ---

    def _take_choices(self, choices: object, event: dict[str, Any], frame: WireFrame) -> None:
        if isinstance(choices, dict):
            choices = list(choices.values())
        if not isinstance(choices, list):
            self.unread_bytes += len(frame.data)
            return
        groq = event.get("x_groq")
        if isinstance(groq, dict):
            if groq.get("error"):
                raise self._make_refusal({"message": groq["error"]})
            self.counts.add(groq.get("usage"))
        self.counts.add(event.get("timings"))
        for choice in choices:
            if not isinstance(choice, dict):
                self.unread_bytes += len(frame.data)
                continue
            index = choice.get("index") or 0
            if self._choice is None:
                self._choice = index
            if index == self._choice:
                self._take_choice(choice, event, frame)

    def _take_choice(self, choice: dict[str, Any], event: dict[str, Any], frame: WireFrame) -> None:
        if choice.get("error"):
            raise self._make_refusal(choice)
        marker = choice.get("finish_reason")
        delta = choice.get("delta")
        whole = choice.get("message")
        if isinstance(delta, str):
            delta = {"content": delta}
        elif not isinstance(delta, dict):
            self.unread_bytes += len(frame.data) if delta is not None else 0
            delta = None
        self._read_any = self._read_any or delta is not None or isinstance(whole, dict)
        marker = marker or (delta or {}).get("finish_reason") or choice.get("stop_reason") or event.get("finish_reason")
        has_marker = marker is not None and marker != ""
        if has_marker and self._is_repeated(choice):
            return
        if delta:
            self._take_message(delta, frame, is_last=has_marker)
        elif isinstance(whole, dict):
            self._take_whole(whole, frame)
        elif isinstance(choice.get("text"), str):
            self._read_any = True
            self._take_text(choice["text"])
        if has_marker:
            self._last_finish = choice
            self._mark(marker)

    def _is_repeated(self, choice: dict[str, Any]) -> bool:
        """Return whether the last chunk came twice."""
        return self._last_finish is not None and choice == self._last_finish

    def _take_message(self, delta: dict[str, Any], frame: WireFrame, *, is_last: bool = False) -> None:
        if len(delta) == 1:
            content = delta.get("content")
            if isinstance(content, str):
                if not (is_last and self._is_summary(content)):
                    self._take_text(content)
                return
        if not delta.keys() <= _DELTA_NAMES:
            lost = [value for name, value in delta.items() if name not in _DELTA_NAMES]
            if any(isinstance(value, str) and value for value in lost):
                self.unread_bytes += len(frame.data.encode())
        self._take_reasoning(delta)
        content = delta.get("content")
        is_thought = bool(_at(delta, "extra_content", "google", "thought"))
        if isinstance(content, str) and is_thought and "<thought>" not in content and "</thought>" not in content:
            self._think(content)
        elif isinstance(content, str):
            if not (is_last and self._is_summary(content)):
                self._take_text(content)
        elif content is not None:
            self._take_parts(content, frame)
        self._take_calls(delta)
        if refusal := delta.get("refusal"):
            self._decline(self._text_of(refusal))

    def _is_summary(self, content: str) -> bool:
        """Return whether the last chunk repeats the text before it: all of it, or the last piece."""
        if len(self._texts) < 2:
            return False
        if len(content) >= _LEAST_PIECE_CHARS and content == self._texts[-1]:
            return True
        return len(content) >= _LEAST_SUMMARY_CHARS and content == "".join(self._texts)

    def _take_whole(self, message: dict[str, Any], frame: WireFrame) -> None:
        """Read a message in one piece; in a stream it repeats the text so far, and only what is new counts."""
        content = message.get("content")
        if isinstance(content, str) and self._texts:
            self._take_text(content.removeprefix("".join(self._texts)))
            return
        self._take_message(message, frame)

    def _take_reasoning(self, delta: dict[str, Any]) -> None:
        """Read thoughts from the first field that holds them: servers send the same ones under several names."""
        for name in _REASONING_NAMES:
            value = delta.get(name)
            if isinstance(value, str | list) and value:
                for thought in _texts_in(value):
                    self._think(thought)
                return
            if isinstance(value, dict) and isinstance(value.get("content") or value.get("text"), str):
                self._think(value.get("content") or value["text"])
                return
        for name in ("reasoning_details", "thinking_blocks"):
            blocks = delta.get(name)
            if isinstance(blocks, list) and blocks:
                for block in blocks:
                    if isinstance(block, dict):
                        self._think(_string(block.get("text") or block.get("thinking") or block.get("summary")))
                return

    def _take_parts(self, content: object, frame: WireFrame) -> None:
        """Read content that comes as a list of parts."""
        parts = content if isinstance(content, list) else [content]
        for part in parts:
            if isinstance(part, str):
                self._take_text(part)
                continue
            if not isinstance(part, dict):
                raise self._make_malformed()
            kind = part.get("type")
            if kind in _REASONING_TYPES:
                for thought in _texts_in(part.get("thinking") or part.get("text") or part.get("summary")):
                    self._think(thought)
            elif kind == "refusal":
                self._decline(_string(part.get("refusal")))
            elif isinstance(part.get("text"), str) and kind in _TEXT_TYPES:
                self._take_text(part["text"])
            elif isinstance(_at(part, "text", "value"), str) and kind in _TEXT_TYPES:
                self._take_text(part["text"]["value"])
            elif kind in _TEXT_TYPES:
                raise self._make_malformed()
            elif kind not in {"reference", "redacted_thinking", "image_url", "tool_use", "tool_call", "document_url"}:
                self.unread_bytes += len(frame.data.encode())

    def _take_calls(self, delta: dict[str, Any]) -> None:
        calls = delta.get("tool_calls")
        call = delta.get("function_call")
        functions = [c.get("function") for c in calls if isinstance(c, dict)] if isinstance(calls, list) else []
        if isinstance(call, dict):
            functions.append(call)
        for function in functions:
            self._called_tool = True
            arguments = function.get("arguments") if isinstance(function, dict) else None
            self._take_arguments(arguments)

    def _take_arguments(self, arguments: object) -> None:
        if not self._read_tool_calls or not arguments:
            return
        self._take_text(arguments if isinstance(arguments, str) else json.dumps(arguments))

    # --- Anthropic's, OpenAI's responses and Cohere's dialects: events that name their kind ---

    def _take_kind(self, kind: str, event: dict[str, Any]) -> bool:
        """Read an event of a known kind; False for others."""
        match kind:
            case "content_block_delta":
                self._take_block(event.get("delta"))
            case "content_block_start":
                self._take_block(event.get("content_block"))
            case "message_start":
                self._both_markers = True
                self._take_start(event.get("message"))
            case "message_delta":
                self._both_markers = True
                delta = event.get("delta")
                self._mark(delta.get("stop_reason") if isinstance(delta, dict) else None)
            case "message_stop":
                self._both_markers = self.ended = True
                self.counts.add(event.get("amazon-bedrock-invocationMetrics"))
            case "message":
                self._both_markers = self.ended = True
                self._take_blocks(event.get("content"))
                self._mark(event.get("stop_reason"))
            case "completion":
                self._take_text(self._text_of(event.get("completion")))
                self._mark(event.get("stop_reason"))
            case "response.output_text.delta":
                self._take_text(self._text_of(event.get("delta")))
            case "response.refusal.delta":
                self._decline(self._text_of(event.get("delta")))
            case "response.reasoning_text.delta" | "response.reasoning_summary_text.delta":
                self._think(self._text_of(event.get("delta")))
            case "response.completed" | "response.incomplete" | "response.failed":
                self._take_response(event.get("response"))
            case "content-delta":
                self._take_cohere(event)
            case "message-end":
                delta = event.get("delta")
                if isinstance(delta, dict):
                    self.counts.add(delta.get("usage"))
                    self._mark(delta.get("finish_reason"))
            case "error":
                raise self._make_refusal(event)
            case _:
                has_words = isinstance(event.get("delta"), str)
                return kind in _SILENT_KINDS or (kind.startswith("response.") and not has_words)
        return True

    def _take_start(self, message: object) -> None:
        if isinstance(message, dict):
            self.counts.add(message.get("usage"))
            content = message.get("content")
            if isinstance(content, list) and content:
                self._take_blocks(content)

    def _take_blocks(self, blocks: object) -> None:
        if isinstance(blocks, str):
            self._take_text(blocks)
        elif isinstance(blocks, list):
            for block in blocks:
                self._take_block(block, whole=True)
        elif blocks is not None:
            raise self._make_malformed()

    def _take_block(self, block: object, *, whole: bool = False) -> None:
        """Read a block of Anthropic's content, or a delta of one."""
        if not isinstance(block, dict):
            return
        kind = block.get("type")
        if kind in {"thinking", "thinking_delta"}:
            self._think(_string(block.get("thinking")))
        elif kind in {"tool_use", "input_json_delta"}:
            self._called_tool = True
            self._take_arguments(block.get("partial_json") if kind != "tool_use" else whole and block.get("input"))
        elif kind in _TEXT_TYPES:
            self._take_text(self._text_of(block.get("text")))

    def _take_response(self, response: object) -> None:
        if not isinstance(response, dict):
            return
        if response.get("error"):
            raise self._make_refusal(response)
        self.counts.add(response.get("usage"))
        self.ended = True
        cause = response.get("incomplete_details")
        self._mark(cause.get("reason") if isinstance(cause, dict) else response.get("status"))

    def _take_cohere(self, event: dict[str, Any]) -> None:
        content = _at(event, "delta", "message", "content")
        if isinstance(content, dict):
            self._think(_string(content.get("thinking")))
            self._take_text(self._text_of(content.get("text")))

    # --- the own formats of other servers ---

    def _take_own_format(self, event: dict[str, Any]) -> bool:
        """Read Ollama's, TGI's and Gemini's own shapes; False for anything else."""
        message = event.get("message")
        if isinstance(message, dict) and ("done" in event or "content" in message):
            self._take_message(message, WireFrame("", ""))
            self._mark(event.get("finish_reason"))
            self._end_ollama(event)
        elif "done" in event and isinstance(event.get("response"), str):
            self._think(_string(event.get("thinking")))
            self._take_text(event["response"])
            self._end_ollama(event)
        elif isinstance(event.get("candidates"), list) or _at(event, "promptFeedback", "blockReason"):
            self._take_gemini(event)
        elif isinstance(event.get("content"), str) and isinstance(event.get("stop"), bool):
            self._take_llama_cpp(event)
        elif event.keys() & _CONVERSE_NAMES:
            self._take_converse(event)
        elif isinstance(event.get("event_type"), str):
            self._take_cohere_v1(event)
        elif isinstance(event.get("token"), dict):
            token = event["token"]
            if not token.get("special"):
                self._take_text(self._text_of(token.get("text")))
            self._mark(_at(event, "details", "finish_reason"))
        elif isinstance(event.get("generated_text"), str):
            self._take_text(event["generated_text"])
            self._mark(_at(event, "details", "finish_reason") or "stop")
        elif isinstance(event.get("output"), dict) and isinstance(event["output"].get("choices"), list):
            self._take_choices(event["output"]["choices"], event, WireFrame("", ""))
        elif isinstance(event.get("output"), list):
            for item in event["output"]:
                if isinstance(item, dict) and item.get("type") == "message":
                    self._take_parts(item.get("content"), WireFrame("", ""))
                elif isinstance(item, dict) and item.get("type") == "reasoning":
                    for thought in _texts_in(item.get("summary") or item.get("content")):
                        self._think(thought)
            self._mark(event.get("status"))
        elif (chunk := to_chunk(event)) is not None:
            self.counts.add(chunk.get("usage"))
            self._is_unmarked = all(choice["finish_reason"] is None for choice in chunk["choices"])
            self._take_choices(chunk["choices"], chunk, WireFrame("", ""))
        else:
            return False
        self._read_any = True
        return True

    def _end_ollama(self, event: dict[str, Any]) -> None:
        if event.get("done"):
            self.counts.add(event)
            self._mark(event.get("done_reason") or "stop")

    def _take_llama_cpp(self, event: dict[str, Any]) -> None:
        """Read llama.cpp's own ``/completion``."""
        self._take_text(event["content"])
        if event["stop"]:
            self.counts.add(
                {"prompt_tokens": event.get("tokens_evaluated"), "completion_tokens": event.get("tokens_predicted")}
            )
            self._mark("length" if event.get("stopped_limit") or event.get("stop_type") == "limit" else "stop")

    def _take_converse(self, event: dict[str, Any]) -> None:
        """Read the events of Bedrock's Converse."""
        delta = _at(event, "contentBlockDelta", "delta")
        self._take_text(_string(_at(delta, "text")))
        self._think(_string(_at(delta, "reasoningContent", "text")))
        self._mark(_at(event, "messageStop", "stopReason"))
        self.counts.add(_at(event, "metadata", "usage"))

    def _take_cohere_v1(self, event: dict[str, Any]) -> None:
        if event["event_type"] == "text-generation":
            self._take_text(_string(event.get("text")))
        elif event["event_type"] == "stream-end":
            self._mark(event.get("finish_reason"))

    def _take_gemini(self, event: dict[str, Any]) -> None:
        self.counts.add(event.get("usageMetadata"))
        blocked = _at(event, "promptFeedback", "blockReason")
        if blocked:
            self._mark("content_filter")
        for candidate in (event.get("candidates") or [])[:1]:
            for part in _at(candidate, "content", "parts") or ():
                text = _string(_at(part, "text"))
                self._think(text) if _at(part, "thought") else self._take_text(text)
            self._mark(_at(candidate, "finishReason"))

    # --- what events hold ---

    def _take_text(self, text: str) -> None:
        if not text:
            return
        if self._surrogate or not text.isascii():
            text = self._join_halves(text)
        self._texts.append(text)
        for part in self._filter.feed(text):
            self._give(part)

    def _join_halves(self, text: str) -> str:
        """Join halves of a character that was cut into two escapes, each in a delta of its own."""
        text, self._surrogate = self._surrogate + text, ""
        if _SURROGATE.search(text) is None:
            return text
        if "\ud800" <= text[-1] <= "\udbff":
            text, self._surrogate = text[:-1], text[-1]
        whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        self.unread_bytes += whole.count("\ufffd") - text.count("\ufffd")
        return whole

    def _give(self, part: AnswerPart) -> None:
        if part.kind == "text":
            self._deltas.append(LLMDelta(part.text))
        elif part.kind == "reasoning":
            self.thought = True
            self._deltas.append(LLMDelta(reasoning=part.text))
        else:
            self.thought = True
            self._deltas.append(LLMDelta(restart=True))

    def _think(self, text: str) -> None:
        if text:
            self._read_any = self.thought = True
            self._deltas.append(LLMDelta(reasoning=text))

    def _decline(self, text: str) -> None:
        if text:
            self._declined = True
            self._take_text(text)

    def _text_of(self, value: object) -> str:
        """Return a piece of text as sent, where null means none. Raises ``LLMError`` for anything else."""
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self._make_malformed()
        return value

    # --- how it ends ---

    def _mark(self, marker: object) -> None:
        """Note a finish marker. Raises ``ERR_LLM_TRUNCATED`` for one that says that the answer broke off."""
        if marker is None:
            return
        name = _NO_LETTER.sub("", marker.lower()) if isinstance(marker, str) else ""
        name = name.removeprefix("finishreason")
        if isinstance(marker, str) and name in _NO_MARKER:
            return
        if name in BROKEN:
            raise fault(self._server, ErrorCode.LLM_TRUNCATED, marker=str(marker)[:40])
        if name in FINISH:
            self.finish = FINISH[name]
            if name == "pauseturn":
                self.note = "the server paused the turn"
        else:
            self._unknown_marker = str(marker)[:40] if isinstance(marker, str) else type(marker).__name__

    def _settle_finish(self) -> None:
        """Decide what the end means once nothing follows."""
        if self._declined:
            self.finish = "refusal"
            return
        if self._called_tool and self._read_tool_calls and self.finish in {"tool", "stop"}:
            self.finish = "stop"
        if self.finish is not None or not self.ended or self._both_markers:
            return
        if self.has_text or self._unknown_marker:
            self.finish = "stop"
            marker = f"unknown finish marker {self._unknown_marker!r}" if self._unknown_marker else "no finish marker"
            self.note = f"{marker}, but the stream was ended properly"

    def _incomplete(self, whole: bool) -> LLMError:
        is_stream = "event-stream" in self._headers.get("content-type", "event-stream")
        if not self._read_any and (whole or not (is_stream or self._frames.first_unread)):
            return self._make_malformed()
        if not self._read_any and self._frames.first_unread:
            return self._make_refusal(self._frames.first_unread)
        if whole and not self.has_text and not self._unknown_marker:
            return self._make_malformed()
        return fault(self._server, ErrorCode.LLM_TRUNCATED, marker=self._unknown_marker or None)

    def _make_refusal(self, body: object) -> LLMError:
        return from_response(self._server, 200, body, self._headers, self._private)

    def _make_malformed(self, body: str = "") -> LLMError:
        is_page = body.lstrip()[:1] == "<"
        sentence = "" if body.startswith(("{", "[")) else body
        return fault(
            self._server,
            ErrorCode.LLM_MALFORMED,
            advice="page" if is_page else None,
            sentence=sentence,
            private=self._private,
        )


def _at(value: Any, *path: str) -> Any:
    """Return what ``path`` leads to inside decoded JSON; None where it leads nowhere."""
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts_in(value: object) -> list[str]:
    """Return the texts of a string, or of a list of parts."""
    if isinstance(value, str):
        return [value]
    parts = value if isinstance(value, list) else []
    return [part if isinstance(part, str) else _string(_at(part, "text")) for part in parts]
