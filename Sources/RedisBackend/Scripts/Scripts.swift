import RedisClient

/// The scripts of `Lua/`, as they are loaded into Redis.
package enum Scripts {
    static let publish = Scripts.script("publish", PackageResources.publish_lua, opening: .publishing)
    /// Finds what a refused retry had stored the first time, and fails where it had not.
    static let published = Scripts.script(
        "published", PackageResources.publish_lua, opening: .publishing, firstLine: "#!lua flags=no-writes")
    static let position = Scripts.script("position", PackageResources.position_lua, opening: .epoch)
    static let history = Scripts.script("history", PackageResources.history_lua, opening: .epoch)
    /// As they answer where Redis takes no writes: as long as there is nothing new to be written.
    static let positionUnwritten = Scripts.script(
        "position_unwritten", PackageResources.position_lua, opening: .epoch, firstLine: "#!lua flags=no-writes")
    static let historyUnwritten = Scripts.script(
        "history_unwritten", PackageResources.history_lua, opening: .epoch, firstLine: "#!lua flags=no-writes")
    static let govern = Scripts.script("govern", PackageResources.govern_lua, opening: .governing)
    static let moderate = Scripts.script("moderate", PackageResources.moderate_lua, opening: .governing)
    static let chair = Scripts.script("chair", PackageResources.chair_lua)
    static let handOver = Scripts.script("hand_over", PackageResources.hand_over_lua, opening: .governing)
    static let roles = Scripts.script("roles", PackageResources.roles_lua, opening: .rights)
    static let prune = Scripts.script("prune", PackageResources.prune_lua)
    static let invite = Scripts.script("invite", PackageResources.invite_lua)
    static let settings = Scripts.script("settings", PackageResources.settings_lua, opening: .epoch)
    static let settingsUnwritten = Scripts.script(
        "settings_unwritten", PackageResources.settings_lua, opening: .epoch, firstLine: "#!lua flags=no-writes")
    static let redact = Scripts.script("redact", PackageResources.redact_lua, opening: .joining)
    static let roomsOf = Scripts.script("rooms_of", PackageResources.rooms_of_lua)
    static let heads = Scripts.script("heads", PackageResources.heads_lua)
    static let states = Scripts.script("states", PackageResources.states_lua)
    static let meet = Scripts.script("meet", PackageResources.meet_lua, opening: .epoch)
    static let agree = Scripts.script("agree", PackageResources.agree_lua)
    static let touch = Scripts.script("touch", PackageResources.touch_lua)
    static let beat = Scripts.script("beat", PackageResources.beat_lua)
    static let canary = Scripts.script("canary", PackageResources.canary_lua)
    static let notify = Scripts.script("notify", PackageResources.notify_lua)
    static let connect = Scripts.script("connect", PackageResources.connect_lua, opening: .session)
    /// For what was there before, which a full Redis takes too: it only comes back.
    static let joinAgain = Scripts.script(
        "join_again", PackageResources.join_lua, opening: .joining, firstLine: "#!lua flags=allow-oom")
    static let sessionResume = Scripts.script("session_resume", PackageResources.session_resume_lua, opening: .session)
    static let close = Scripts.script("close", PackageResources.close_lua, opening: .verdict)
    static let pardon = Scripts.script("pardon", PackageResources.pardon_lua, opening: .verdict)
    static let admit = Scripts.script("admit", PackageResources.admit_lua, opening: .verdict)
    static let signal = Scripts.script("signal", PackageResources.signal_lua, opening: .joining)
    static let disconnect = Scripts.script("disconnect", PackageResources.disconnect_lua, opening: .presence)
    static let join = Scripts.script("join", PackageResources.join_lua, opening: .joining)
    static let state = Scripts.script("state", PackageResources.state_lua, opening: .presence)
    static let hide = Scripts.script("hide", PackageResources.hide_lua, opening: .roster)
    static let show = Scripts.script("show", PackageResources.show_lua, opening: .roster)
    static let guests = Scripts.script("guests", PackageResources.guests_lua, opening: .counts)
    static let miss = Scripts.script("miss", PackageResources.miss_lua, opening: .receivers)
    static let leave = Scripts.script("leave", PackageResources.leave_lua, opening: .roster)
    static let sweep = Scripts.script("sweep", PackageResources.sweep_lua, opening: .counts)
    static let look = Scripts.script("look", PackageResources.look_lua, opening: .presence)
    static let prolong = Scripts.script("prolong", PackageResources.prolong_lua, opening: .presence)
    static let claim = Scripts.script("claim", PackageResources.claim_lua)
    static let yield = Scripts.script("yield", PackageResources.yield_lua)
    static let renounce = Scripts.script("renounce", PackageResources.renounce_lua, opening: .presence)
    static let compare = Scripts.script("compare", PackageResources.compare_lua, opening: .roster)
    static let remember = Scripts.script("remember", PackageResources.remember_lua)
    static let members = Scripts.script("members", PackageResources.members_lua)
    static let page = Scripts.script("page", PackageResources.page_lua)
    static let span = Scripts.script("span", PackageResources.span_lua)
    static let gather = Scripts.script("gather", PackageResources.gather_lua, opening: .ledger)
    static let settle = Scripts.script("settle", PackageResources.settle_lua, opening: .ledger)
    static let trim = Scripts.script("trim", PackageResources.trim_lua, opening: .ledger)
    static let backlog = Scripts.script("backlog", PackageResources.backlog_lua, opening: .ledger)
    static let replay = Scripts.script("replay", PackageResources.replay_lua, opening: .ledger)
    static let tell = Scripts.script("tell", PackageResources.tell_lua, opening: .presence)
    static let ban = Scripts.script("ban", PackageResources.ban_lua)
    static let lift = Scripts.script("lift", PackageResources.lift_lua)
    static let bans = Scripts.script("bans", PackageResources.bans_lua)
    static let audit = Scripts.script("audit", PackageResources.audit_lua)
    static let audited = Scripts.script("audited", PackageResources.audited_lua)

    static let archiveTake = Scripts.script("archive_take", PackageResources.archive_take_lua, opening: .archive)
    static let archiveSettle = Scripts.script("archive_settle", PackageResources.archive_settle_lua, opening: .archive)
    static let archiveKeep = Scripts.script("archive_keep", PackageResources.archive_keep_lua, opening: .clock)
    static let archiveWaiting = Scripts.script(
        "archive_waiting", PackageResources.archive_waiting_lua, opening: .archive)
    static let archiveShare = Scripts.script("archive_share", PackageResources.archive_share_lua, opening: .clock)

    static let shrink = Scripts.script("shrink", PackageResources.shrink_lua, opening: .ledger)

    package static var all: [RedisScript] {
        [
            publish, position, history, heads, states, meet, agree, touch, beat, canary, notify, connect, sessionResume,
            close, pardon,
            admit, signal,
            disconnect, join, show, state, hide, guests, miss, leave, sweep, look, prolong, claim, yield,
            renounce, compare, remember, members, page, span, gather, settle, trim, backlog, replay, shrink,
            joinAgain, tell, ban, lift, bans, audit, audited, positionUnwritten, historyUnwritten, published, govern,
            settings,
            settingsUnwritten, redact, roomsOf, moderate, chair, handOver, roles, invite, prune,
        ]
    }

    /// Those of a worker of the archive.
    package static var archive: [RedisScript] {
        [archiveTake, archiveSettle, archiveKeep, archiveWaiting, archiveShare, history, publish, redact, roomsOf]
    }

    /// Those of a coordinator.
    static var coordination: [RedisScript] {
        [look, prolong, claim, yield, sweep, touch, shrink, trim, chair, handOver, prune]
    }

    /// The source that several scripts share.
    private enum Opening {
        case none, clock, epoch, rights, governing, publishing, presence, roster, counts, joining, verdict, session,
            receivers, ledger, archive

        var source: [UInt8] {
            switch self {
            case .none: []
            case .clock: PackageResources.clock_lua
            case .epoch: PackageResources.clock_lua + PackageResources.epoch_lua
            case .rights: PackageResources.clock_lua + PackageResources.rights_lua
            case .governing:
                Opening.epoch.source + PackageResources.presence_lua + PackageResources.roster_lua
                    + PackageResources.rights_lua + PackageResources.moderation_lua
            case .publishing:
                Opening.epoch.source + PackageResources.slices_lua + PackageResources.rights_lua
                    + PackageResources.receivers_lua
            case .presence: PackageResources.clock_lua + PackageResources.presence_lua
            case .roster: Opening.presence.source + PackageResources.roster_lua
            case .counts: Opening.roster.source + PackageResources.receivers_lua + PackageResources.counts_lua
            case .joining: Opening.roster.source + PackageResources.rights_lua
            case .verdict: Opening.presence.source + PackageResources.verdict_lua
            case .session: Opening.verdict.source + PackageResources.session_lua
            case .receivers: PackageResources.clock_lua + PackageResources.receivers_lua
            case .ledger: Opening.receivers.source + PackageResources.ledger_lua
            case .archive: PackageResources.clock_lua + PackageResources.archive_lua
            }
        }
    }

    /// The shared opening goes behind the first line, which must stay the first: it holds the script's flags.
    private static func script(
        _ name: String, _ source: [UInt8], opening: Opening = .none, firstLine: String? = nil
    ) -> RedisScript {
        let text = String(decoding: source, as: UTF8.self)
        let lines = text.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
        let opening = String(decoding: opening.source, as: UTF8.self)
        return RedisScript(name: name, source: "\(firstLine ?? String(lines[0]))\n\(opening)\(lines[1])")
    }
}
