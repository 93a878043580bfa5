import Foundation

extension NodeProcess {
    /// Who is in a room, by this node's REST answers, all pages.
    package func members(of room: String) async throws -> Set<String> {
        var members: Set<String> = []
        var cursor: String?
        repeat {
            let more = cursor.map {
                "&cursor=" + ($0.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? $0)
            }
            let answer = try await request("GET", "/v1/rooms/\(room)/members?limit=1000\(more ?? "")")
            guard answer.status == 200, let list = answer.json?["members"] as? [[String: Any]] else {
                throw Failure(description: "members answered \(answer.status): \(answer.body.prefix(200))")
            }
            members.formUnion(list.compactMap { $0["userId"] as? String })
            cursor = answer.json?["next"] as? String
        } while cursor != nil
        return members
    }
}
