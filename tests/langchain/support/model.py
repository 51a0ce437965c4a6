"""A scripted model in each provider's format: it asks for the weather where it may, and says what
it was told."""

import json

from .upstream import Answer

# What the tool answers, and what the model says then.
RESULT = "22 degrees and rain"
SAID = f'It is {RESULT}: "naïve" 答え\n'
CALL = ("get_weather", {"city": "Pau"})
USAGE = (40, 7)


def respond(form, say=SAID):
    """A responder for an upstream of that format: `openai`, `anthropic`, `google`, `cohere`."""
    speak = {"openai": _openai, "anthropic": _anthropic, "google": _google, "cohere": _cohere}[form]

    def answer(request):
        text = request.body.decode()
        streams = request.json.get("stream") is True or ":streamGenerateContent" in request.path
        calls = CALL[0] in text and RESULT not in text
        whole, events = speak(calls, say)
        return Answer.stream(events) if streams else Answer.json(whole)

    return answer


def _event(data, name=None):
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def _halves(text):
    middle = len(text) // 2
    return text[:middle], text[middle:]


def _openai(calls, say):
    head = {"id": "chatcmpl-t1", "created": 1700000000, "model": "model-1"}
    arguments = json.dumps(CALL[1])
    usage = dict(zip(("prompt_tokens", "completion_tokens"), USAGE)) | {"total_tokens": sum(USAGE)}
    call = {"id": "call_1", "type": "function", "function": {"name": CALL[0], "arguments": arguments}}
    message = {"content": None, "tool_calls": [call]} if calls else {"content": say}
    reason = "tool_calls" if calls else "stop"
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
    whole = head | {"object": "chat.completion", "choices": [choice], "usage": usage}

    def chunk(delta, finish=None):
        choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
        return _event(head | {"object": "chat.completion.chunk", "choices": choices})

    if calls:
        first = call | {"index": 0, "function": {"name": CALL[0], "arguments": ""}}
        pieces = [{"tool_calls": [first]}] + [
            {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}
            for piece in _halves(arguments)
        ]
    else:
        pieces = [{"content": piece} for piece in _halves(say)]
    last = head | {"object": "chat.completion.chunk", "choices": [], "usage": usage}
    events = [chunk({"role": "assistant", "content": ""})] + [chunk(piece) for piece in pieces]
    return whole, events + [chunk({}, reason), _event(last), b"data: [DONE]\n\n"]


def _anthropic(calls, say):
    block = {"type": "tool_use", "id": "toolu_1", "name": CALL[0], "input": CALL[1]}
    usage = dict(zip(("input_tokens", "output_tokens"), USAGE))
    message = {
        "id": "msg_t1", "type": "message", "role": "assistant", "model": "model-1",
        "content": [block if calls else {"type": "text", "text": say}],
        "stop_reason": "tool_use" if calls else "end_turn", "stop_sequence": None, "usage": usage,
    }  # fmt: skip
    empty = block | {"input": {}} if calls else {"type": "text", "text": ""}
    kind = ("input_json_delta", "partial_json") if calls else ("text_delta", "text")
    pieces = _halves(json.dumps(CALL[1]) if calls else say)
    start = message | {"content": [], "stop_reason": None, "usage": usage | {"output_tokens": 1}}
    payloads = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": empty},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": kind[0], kind[1]: piece}}
            for piece in pieces
        ),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": message["stop_reason"], "stop_sequence": None},
            "usage": {"output_tokens": USAGE[1]},
        },
        {"type": "message_stop"},
    ]
    return message, [_event(payload, payload["type"]) for payload in payloads]


def _google(calls, say):
    def answer(parts, **more):
        return {
            "candidates": [{"content": {"role": "model", "parts": parts}, "index": 0, **more}],
            "usageMetadata": {
                "promptTokenCount": USAGE[0],
                "candidatesTokenCount": USAGE[1],
                "totalTokenCount": sum(USAGE),
            },
            "modelVersion": "model-1",
            "responseId": "r1",
        }

    whole = [{"functionCall": {"name": CALL[0], "args": CALL[1]}}] if calls else [{"text": say}]
    pieces = whole if calls else [{"text": piece} for piece in _halves(say)]
    events = [answer([piece]) for piece in pieces] + [answer([], finishReason="STOP")]
    return answer(whole, finishReason="STOP"), [_event(event) for event in events]


def _cohere(calls, say):
    arguments = json.dumps(CALL[1])
    usage = {"tokens": dict(zip(("input_tokens", "output_tokens"), USAGE))}
    call = {"id": "c1", "type": "function", "function": {"name": CALL[0], "arguments": arguments}}
    content = {"tool_calls": [call]} if calls else {"content": [{"type": "text", "text": say}]}
    reason = "TOOL_CALL" if calls else "COMPLETE"
    whole = {
        "id": "r1", "message": {"role": "assistant", **content},
        "finish_reason": reason, "usage": usage,
    }  # fmt: skip

    def event(kind, message):
        return {"type": kind, "index": 0, "delta": {"message": message}}

    if calls:
        first = call | {"function": {"name": CALL[0], "arguments": ""}}
        middle = [event("tool-call-start", {"tool_calls": first})] + [
            event("tool-call-delta", {"tool_calls": {"function": {"arguments": piece}}})
            for piece in _halves(arguments)
        ]
        middle.append({"type": "tool-call-end", "index": 0})
    else:
        middle = [event("content-start", {"content": {"type": "text", "text": ""}})] + [
            event("content-delta", {"content": {"text": piece}}) for piece in _halves(say)
        ]
        middle.append({"type": "content-end", "index": 0})
    start = {"type": "message-start", "id": "r1", "delta": {"message": {"role": "assistant"}}}
    end = {"type": "message-end", "delta": {"finish_reason": reason, "usage": usage}}
    return whole, [_event(payload, payload["type"]) for payload in [start, *middle, end]]
