-- Asks Outrider's gateway whether a request may go on, in the dialect of nginx's auth_request (docs/protocols/edge.md).
-- Allowed only where gateway says 200: whatever fails leaves `txn.outrider_allowed` unset, and haproxy.cfg refuses.
local socket = "unix@" .. os.getenv("OUTRIDER_EDGE_STATE") .. "/gateway.sock"
local identity = { "device", "thumbprint", "token-id", "scope", "admitted-by", "recovery" }
local for_client = { "www-authenticate", "dpop-nonce", "retry-after" }

local function first(headers, name)
  local values = headers and headers[name]
  return values and values[0] or nil
end

-- All fields of one name, so that a second one is never dropped unseen.
local function joined(headers, name)
  local values = headers[name]
  if not values then return nil end
  local all, index = {}, 0
  while values[index] do
    all[#all + 1] = values[index]
    index = index + 1
  end
  return table.concat(all, ", ")
end

local function refuse(txn, response)
  local status = tonumber(first(response.headers, "x-outrider-status")) or 403
  if status < 400 or status > 599 then status = 403 end
  local code = first(response.headers, "x-outrider-code") or ""
  local reply = txn:reply({ status = status })
  reply:add_header("content-type", "application/problem+json")
  reply:add_header("cache-control", "no-store")
  for _, name in ipairs(for_client) do
    local value = first(response.headers, name)
    if value then reply:add_header(name, value) end
  end
  reply:set_body(string.format('{"type":"https://outrider.dev/problems/%s","status":%d,"code":"%s"}', code, status, code))
  txn:done(reply)
end

core.register_action("outrider_authorize", { "http-req" }, function(txn)
  local headers = txn.http:req_get_headers()
  local asked = {
    ["host"] = { "outrider-gateway" },
    ["x-original-method"] = { txn.f:method() },
    ["x-original-uri"] = { txn.f:pathq() },
    ["x-original-host"] = { joined(headers, "host") or "" },
    ["x-original-remote-addr"] = { txn.f:src() },
  }
  for _, name in ipairs({ "authorization", "dpop", "traceparent" }) do
    local value = joined(headers, name)
    if value then asked[name] = { value } end
  end
  local der = txn.f:ssl_c_der()
  if der and #der > 0 then asked["client-cert"] = { ":" .. txn.c:base64(der) .. ":" } end
  local response = core.httpclient():get({
    url = "http://outrider-gateway/authorize/nginx",
    headers = asked,
    dst = socket,
    timeout = 5000,
  })
  if not response or not response.status or response.status == 0 or response.status >= 500 then return end
  if response.status ~= 200 then return refuse(txn, response) end
  for _, name in ipairs(identity) do
    local value = first(response.headers, "x-outrider-" .. name)
    if value then txn:set_var("txn.outrider_" .. name:gsub("-", "_"), value) end
  end
  txn:set_var("txn.outrider_allowed", true)
end)
