import Foundation
import Testing

/// Both clients live through one list of scenarios: the tests that play them bear its sentences.
@Suite struct ClientScenarioListTests {
    @Test func `the Swift client plays each scenario of the list and no other`() throws {
        let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        func text(_ path: String) throws -> String {
            try String(contentsOf: tests.appending(path: path), encoding: .utf8)
        }
        let list = try text("client-scenarios.txt").split(separator: "\n").map(String.init)
        let played = try text("EndToEndTests/ClientScenarioFaults.swift")
            .matches(of: /@Test(?:\(.*\))? func `([^`]+)`/).map { String($0.1) }
        let byFake = try text("MartletClientTests/LaterGatewayTests.swift")
            .matches(of: /@Suite\("([^"]+)"\)/).map { String($0.1) }
        #expect(played + byFake == list)
    }
}
