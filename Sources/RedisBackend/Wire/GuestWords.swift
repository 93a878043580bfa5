/// Connections in a room that show nobody there, as its head has them: ` n1:5=3 ~lost`.
package struct GuestWords: Hashable, Sendable {
    /// Without those in their grace.
    package private(set) var count = 0
    /// Whether the grace of one runs.
    package private(set) var hasGrace = false

    package init(_ text: String) {
        for word in text.split(separator: " ") {
            if word.hasPrefix("~") { hasGrace = true }
            guard let sign = word.lastIndex(of: "="), let number = Int(word[word.index(after: sign)...]) else {
                continue
            }
            count += number
        }
    }
}
