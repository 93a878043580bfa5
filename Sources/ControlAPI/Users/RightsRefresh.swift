import Dialects
import GatewayCore
import Hummingbird

/// `POST /v1/users/{userId}/refresh`: has the backend asked again about each connection of a user, on whatever nodes they are.
struct RightsRefresh: Sendable {
    let user: UserID

    init(user: String) throws(RequestError) {
        self.user = try UserID(path: user)
    }

    func answer(from rights: (any RightsReview)?) async throws -> Response {
        guard let rights else {
            throw RequestError(.notFound, "this gateway asks no backend (hooks.authorize.url)")
        }
        let count = try await rights.review(user)
        var answer: [UInt8] = []
        JSONWriter.append(#"{"refreshed":"#, to: &answer)
        JSONWriter.append(integer: count, to: &answer)
        JSONWriter.append("}", to: &answer)
        return .json(answer)
    }
}
