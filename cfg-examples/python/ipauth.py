"""ipauth.py: may this caller place calls without a password? Yes or no comes from the cache of the farm, or from the
database, which then fills the cache. Loaded by python.cfg."""

import KSR

TABLE = "ipauth"


def mod_init():
    return Router()


class Router:
    def child_init(self, rank):
        return 0

    def ipauth(self, user):
        """The answer ("yes" or "no") and where it came from. If the cache is out of reach, get() gives None as for an
        entry that is not there, and the database decides."""
        answer = KSR.shc.get(TABLE, user)
        if answer is not None:
            return answer, "cache"
        uri = "sip:%s@%s" % (user, KSR.pv.gete("$fd"))
        answer = "yes" if KSR.group.is_user_in(uri, "ipauth") > 0 else "no"
        KSR.shc.set(TABLE, user, answer)
        return answer, "database"

    def ksr_request_route(self, msg):
        if KSR.is_ACK():
            return 1
        answer, source = self.ipauth(KSR.pv.gete("$fU"))
        if answer == "yes":
            KSR.sl.sl_send_reply(200, "Yes from the " + source)
        else:
            KSR.sl.sl_send_reply(403, "No from the " + source)
        return 1

    def ksr_shardcache_event(self, msg, name):
        """Called in the watcher process when a server goes or comes."""
        KSR.warn("cache: %s %s\n" % (name, KSR.pv.gete("$shcst(server)")))
        return 1
