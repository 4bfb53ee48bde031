"""What wrk is told in Lua: the request, and the rules of `checks` for every reply.

Rule 1: the same code judges all targets, so all pay alike: beside no check at all it costs the load's core 5 % of its
rate in small replies, 2 % in streams that come in a write per event, a third in streams that come whole.
Rule 2: the first wrong reply ends the stretch, and is printed for people.
"""

from bench.checks import SHOWN_BYTES, Expected, texts
from bench.posts import Post

WRONG, RESULT = "BENCH-WRONG ", "BENCH-RESULT "
_REQUEST = """\
wrk.method = "POST"
wrk.body = [==[{body}]==]
{headers}
"""
_CHECK = """\
local find, sub, concat = string.find, string.sub, table.concat
local pieces = {{}}
local known = {{{known}}}
wrong, why = nil, nil
local function judge(status, body)
  if status ~= 200 then return "status " .. status end
  local count, at = 0, 1
  while true do
    local _, stop = find(body, {needle}, at, true)
    local close = stop and find(body, '"', stop + 1, true)
    if not close then break end
    if close > stop + 1 then
      count = count + 1
      pieces[count] = sub(body, stop + 1, close - 1)
    end
    at = close
  end
  if count ~= {count} then return count .. " pieces of text instead of {count}" end
  if not known[concat(pieces, "", 1, count)] then return "another text than the mock's" end
  if sub(body, -{tail_bytes}) ~= {tail} then return "another end" end
  {where}
  if not find(body, {finish}, at, true) then return "no reason to finish" end
  if {usage} and not find(body, {counted}, at, true) then return "no usage, or another" end
end
function response(status, headers, body)
  local found = judge(status, body)
  if found and not wrong then
    wrong, why = body, found
    wrk.thread:stop()
  end
end
"""
_DONE = """\
local threads = {{}}
function setup(thread) threads[#threads + 1] = thread end
function done(summary, latency, requests)
  local e = summary.errors
  for _, thread in ipairs(threads) do
    local body = thread:get("wrong")
    if body then
      local from = math.max(1, #body - {shown})
      io.write(string.format("{wrong}%s, %d bytes: %q ... %q\\n",
        thread:get("why"), #body, string.sub(body, 1, {shown}), string.sub(body, from)))
    end
  end
  io.write(string.format(
    '{result}{{"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"failed":%d,"late":%d}}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status, e.timeout))
end
"""


def script(post: Post, expected: Expected | None) -> str:
    """The script for a request; wrk builds its bytes once. None: nothing is checked, to see what checks cost."""
    fields = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in post.headers.items())
    request = _REQUEST.format(body=post.body.decode(), headers=fields)
    check = _check(expected) if expected else ""
    return request + check + _DONE.format(shown=SHOWN_BYTES, wrong=WRONG, result=RESULT)


def _check(expected: Expected) -> str:
    word, finish, unit = ("content", '"finish_reason":"stop"', "completion")
    end = "data: [DONE]\n\n"
    if expected.anthropic:
        word, finish, unit = ("text", '"stop_reason":"end_turn"', "output")
        end = '"message_stop"}\n\n'
    if not expected.streamed:
        end = expected.tail
    return _CHECK.format(
        known=", ".join(f'["{text}"] = true' for text in sorted(texts(streamed=expected.streamed))),
        needle=f"""'{word}":"'""",  # without its first quote: those stand everywhere
        count=expected.pieces,
        tail="'" + end.replace("\n", "\\n") + "'",
        tail_bytes=len(end),
        where="" if expected.streamed else "at = 1  -- fields of an object have no order",
        finish=f"'{finish}'",
        counted=f"""'"{unit}_tokens":{expected.tokens}'""",
        usage="true" if expected.usage else "false",
    )
