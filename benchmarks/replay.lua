-- Replays ready-made requests for wrk, each once: the path of the file, the length of
-- one request and how many there are come behind `--`. Every thread has its own part.
-- wrk counts answers only, so a server that stops answering would look fast: the longest
-- silence of a whole thread, up to the end of the run, is told as well.
local ffi = require("ffi")
ffi.cdef([[
  typedef struct { long s; long ns; } timespec_t;
  int clock_gettime(int clock, timespec_t *time);
]])
local MONOTONIC = 1
local time = ffi.new("timespec_t")
local threads = {}

local function now_ms()
  ffi.C.clock_gettime(MONOTONIC, time)
  return tonumber(time.s) * 1e3 + tonumber(time.ns) / 1e6
end

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

function init(args)
  path, length, count = args[1], tonumber(args[2]), tonumber(args[3])
  share = math.floor(count / tonumber(args[4]))
  file = assert(io.open(path, "rb"))
  file:setvbuf("full", 256 * 1024)
  file:seek("set", number * share * length)
  sent, again, bad, silence, heard = 0, 0, 0, 0, 0
end

function request()
  if sent > 0 and sent % share == 0 then
    again = again + 1
    file:seek("set", number * share * length)
  end
  sent = sent + 1
  if heard == 0 then heard = now_ms() end
  return file:read(length)
end

function response(status)
  if status ~= 200 then bad = bad + 1 end
  local now = now_ms()
  silence = math.max(silence, now - heard)
  heard = now
end

function done(summary, latency, requests)
  local sent, again, bad, silence, now = 0, 0, 0, 0, now_ms()
  for _, thread in ipairs(threads) do
    sent = sent + thread:get("sent")
    again = again + thread:get("again")
    bad = bad + thread:get("bad")
    silence = math.max(silence, thread:get("silence"), now - thread:get("heard"))
  end
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"p50_ms":%.3f,"p99_ms":%.3f,"max_ms":%.3f,' ..
    '"silence_ms":%.3f,"sent":%d,"again":%d,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, latency.max / 1e3, silence, sent, again, bad,
    errors.connect + errors.read + errors.write + errors.timeout))
end
