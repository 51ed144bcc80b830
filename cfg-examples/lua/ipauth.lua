-- ipauth.lua: may this caller place calls without a password? Yes or no comes from the cache of the farm, or from the
-- database, which then fills the cache. Loaded by lua.cfg.

local TABLE = "ipauth"

-- The answer ("yes" or "no") and where it came from. If the cache is out of reach, get() gives nil as for an entry
-- that is not there, and the database decides; set() then fails, which costs nothing but the next question.
local function ipauth(user)
    local answer = KSR.shc.get(TABLE, user)
    if answer ~= nil then
        return answer, "cache"
    end
    answer = "no"
    if KSR.group.is_user_in("sip:" .. user .. "@" .. KSR.pv.gete("$fd"), "ipauth") > 0 then
        answer = "yes"
    end
    KSR.shc.set(TABLE, user, answer)
    return answer, "database"
end

function ksr_request_route()
    if KSR.is_ACK() then
        return 1
    end
    local answer, source = ipauth(KSR.pv.gete("$fU"))
    if answer == "yes" then
        KSR.sl.sl_send_reply(200, "Yes from the " .. source)
    else
        KSR.sl.sl_send_reply(403, "No from the " .. source)
    end
    return 1
end

-- Called in the module's own process with the event's name: "shardcache:server-down", "shardcache:server-up", ...
function ksr_shardcache_event(name)
    KSR.warn("cache: " .. name .. " " .. KSR.pv.gete("$shcst(server)") .. "\n")
    return 1
end
