import GatewayCore
import Testing

@Suite
struct PortionTests {
    private let messages = (1...5).map { SessionConversation.message("r", $0, bytes: 800) }

    private func fill(_ portion: Portion, limit: Int = .max, _ taken: Int = 0) -> (seqs: [Int], isAll: Bool) {
        var filled = Array(messages.prefix(taken))
        let isAll = portion.fill(&filled, limit: limit, from: messages.dropFirst(taken))
        return (filled.map(\.seq), isAll)
    }

    @Test func `as many messages are taken as there is room for, those taken before counted`() {
        for taken in 0...3 {
            #expect(fill(Portion(bytes: 3999), taken) == ([1, 2, 3], false))
            #expect(fill(Portion(bytes: 5000), taken) == ([1, 2, 3, 4, 5], true))
        }
        #expect(fill(.unbounded, limit: 2) == ([1, 2], false))
        #expect(fill(.unbounded, limit: 5) == ([1, 2, 3, 4, 5], true))
    }

    @Test func `a message that is too large is taken alone, where one has to be`() {
        #expect(fill(Portion(bytes: 10)) == ([], false))
        #expect(fill(Portion(bytes: 10, atLeastOne: true)) == ([1], false))
        #expect(fill(.none) == ([], false))
        #expect(fill(.none, 5) == ([1, 2, 3, 4, 5], true))
    }
}
