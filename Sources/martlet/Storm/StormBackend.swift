import AsyncHTTPClient
import Foundation
import LoadBench
import NIOCore
import StormJudge
import Webhooks

/// The deployment's REST, asked at whichever node answers.
struct StormBackend: Sendable {
    struct Answer: Sendable {
        let status: Int
        let body: [UInt8]

        var json: [String: Any]? { (try? JSONSerialization.jsonObject(with: Data(body))) as? [String: Any] }
    }

    /// Without a path.
    let apis: [String]
    let key: String
    /// One for each api.
    private let clients: [HTTPClient]

    private static let patience = Duration.seconds(5)
    private static let maxAnswerBytes = 16 << 20

    init(apis: [String], key: String) {
        self.apis = apis
        self.key = key
        var configuration = HTTPClient.Configuration()
        configuration.timeout = .init(connect: .seconds(2))
        // Each publication that waits has one.
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 64
        configuration.redirectConfiguration = .disallow
        clients = apis.map { api in
            var configuration = configuration
            if let target = WebhookURL(api) { configuration.holdCertificates(to: target) }
            return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        }
    }

    func shutdown() async {
        // What is left open ends with the process.
        for client in clients { try? await client.shutdown() }
    }

    /// Nil where there was no answer.
    func call(
        _ method: String, _ path: String, body: String? = nil, headers: [(String, String)] = [], at api: Int
    ) async -> Answer? {
        var request = HTTPClientRequest(url: apis[api] + path)
        request.method = .init(rawValue: method)
        request.headers.add(name: "Authorization", value: "Bearer \(key)")
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let body {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(string: body))
        }
        // A node that is gone or drains is one that does not answer.
        guard
            let answer = try? await clients[api].ask(
                request, within: StormBackend.patience, upTo: StormBackend.maxAnswerBytes),
            let bytes = try? answer.body.get()
        else { return nil }
        return Answer(status: Int(answer.status.code), body: Array(bytes.readableBytesView))
    }

    /// Of the first api that answers with 200 or 404.
    func ask(_ method: String, _ path: String, body: String? = nil, headers: [(String, String)] = []) async -> Answer? {
        for api in apis.indices {
            if let answer = await call(method, path, body: body, headers: headers, at: api),
                [200, 404].contains(answer.status)
            {
                return answer
            }
        }
        return nil
    }

    /// - Throws: where no api answers, or one refuses the key.
    func checkAccess() async throws(BenchFailure) {
        var hasAnswered = false
        for (number, api) in apis.enumerated() {
            let answer = await call("GET", "/v1/stats", at: number)
            switch answer?.status {
            case 200: hasAnswered = true
            case 401, 403: throw BenchFailure("\(api) refuses the API key")
            case let status?: throw BenchFailure("\(api) answers \(status)")
            case nil: continue
            }
        }
        guard hasAnswered else { throw BenchFailure("\(apis.joined(separator: ", ")): no api port answers") }
    }

    // MARK: What the deployment says

    /// Which message the log holds of a room, by number; nil where nobody says.
    func log(of room: String) async -> [Int: Int]? {
        var log: [Int: Int] = [:]
        var (after, hasMore) = (0, true)
        while hasMore {
            let answer = await ask("GET", "/v1/rooms/\(room)/messages?after=\(after)&limit=100")
            guard let answer else { return nil }
            guard answer.status == 200 else { return log }
            guard let page = answer.json, let messages = page["messages"] as? [[String: Any]] else { return nil }
            for message in messages {
                guard let seq = message["seq"] as? Int, seq > after else { return nil }
                after = seq
                log[seq] = (message["payload"] as? String).flatMap { Int($0) } ?? -1
            }
            hasMore = page["more"] as? Bool == true && !messages.isEmpty
        }
        return log
    }

    /// Who of these is online, by one api; nil where it does not say.
    func online(_ users: [String], at api: Int) async -> Set<String>? {
        var online: Set<String> = []
        for start in stride(from: 0, to: users.count, by: 1_000) {
            let names = users[start..<min(start + 1_000, users.count)].map { "\"\($0)\"" }.joined(separator: ",")
            guard let answer = await call("POST", "/v1/users/query", body: #"{"users":[\#(names)]}"#, at: api),
                answer.status == 200, let list = answer.json?["users"] as? [[String: Any]]
            else { return nil }
            online.formUnion(list.filter { $0["online"] as? Bool == true }.compactMap { $0["userId"] as? String })
        }
        return online
    }

    /// The members of a room, by one api; nil where it does not say.
    func members(of room: String, at api: Int) async -> Set<String>? {
        var members: Set<String> = []
        var cursor: String?
        repeat {
            let next = cursor.map { "&cursor=\($0)" } ?? ""
            guard let answer = await call("GET", "/v1/rooms/\(room)/members?limit=1000\(next)", at: api) else {
                return nil
            }
            if answer.status == 404 { return members }
            guard answer.status == 200, let page = answer.json, let list = page["members"] as? [[String: Any]] else {
                return nil
            }
            members.formUnion(list.compactMap { $0["userId"] as? String })
            cursor = page["next"] as? String
        } while cursor != nil
        return members
    }

    // MARK: What is left behind

    /// Takes a room's log, and what Redis holds of the users, away; answers false where something could not be.
    func clean(_ plan: StormPlan) async -> Bool {
        var isClean = true
        for room in plan.roomNames {
            let version = await ask("GET", "/v1/rooms/\(room)")?.json?["version"] as? Int ?? 0
            let gone = await ask("DELETE", "/v1/rooms/\(room)?log=true", headers: [("If-Match", "\(version)")])
            if gone == nil { isClean = false }
        }
        for user in plan.users where await ask("DELETE", "/v1/users/\(user)") == nil {
            isClean = false
            break
        }
        return isClean
    }
}
