/// The verdict of a backend on a user, as `close` and `pardon` write it: `banned before ended`, the first two in ms by
/// Redis's clock, 0 for what does not hold, the last a number. Only the scripts read the last two.
package struct Verdict: Hashable, Sendable {
    /// Until when the user is not let in; 0 where there is no ban.
    package let bannedUntil: Int64

    /// Nil where the text is not what the scripts write.
    package init?(_ text: String) {
        guard let banned = text.split(separator: " ").first.flatMap({ Int64($0) }) else { return nil }
        bannedUntil = banned
    }
}
