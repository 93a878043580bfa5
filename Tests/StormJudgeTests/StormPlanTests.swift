import StormJudge
import Testing

@Suite("The plan of a storm")
struct StormPlanTests {
    private func refusal(_ clients: Int, _ rooms: Int, _ rate: Int, _ seconds: Int) -> String? {
        do throws(StormPlan.Refusal) {
            _ = try StormPlan(clients: clients, rooms: rooms, rate: rate, seconds: seconds, run: "x")
            return nil
        } catch {
            return error.description
        }
    }

    @Test func `each client is in three rooms, and each room's members are those in it`() throws {
        let plan = try StormPlan(clients: 10, rooms: 5, rate: 50, seconds: 60, run: "7a")
        for client in 0..<10 {
            #expect(Set(plan.rooms(of: client)).count == 3)
            for room in 0..<5 {
                #expect(plan.members(of: room).contains(plan.user(client)) == plan.rooms(of: client).contains(room))
            }
            #expect(!plan.watched(by: client).contains(plan.user(client)))
            #expect(Set(plan.watched(by: client)).count == 5)
        }
        #expect(plan.user(3) == "storm-7a-3" && plan.room(4) == "storm-7a-4")
        #expect(plan.messages == 3_000 && plan.room(of: 7) == 2)
    }

    @Test func `with fewer rooms or clients there are fewer each`() throws {
        let plan = try StormPlan(clients: 2, rooms: 1, rate: 2, seconds: 1, run: "x")
        #expect(plan.rooms(of: 1) == [0] && plan.members(of: 0) == ["storm-x-0", "storm-x-1"])
        #expect(plan.watched(by: 0) == ["storm-x-1"])
    }

    @Test func `a storm that proves nothing, or cannot be kept, is refused`() {
        #expect(refusal(30, 3, 50, 60) == nil)
        #expect(refusal(1, 1, 50, 60)?.contains("--clients") == true)
        #expect(refusal(30, 31, 100, 60)?.contains("--rooms") == true)
        #expect(refusal(30, 10, 19, 60)?.contains("--rate") == true)
        #expect(refusal(5_000, 3, 5_000, 86_400)?.contains("deliveries") == true)
    }

    @Test func `places are read as they are written, and loopback is known`() {
        func place(_ text: String) -> StormPlace? { StormPlace(text, plain: "ws", secure: "wss") }
        #expect(place("127.0.0.1:8080")?.url == "ws://127.0.0.1:8080")
        #expect(place("wss://chat.example.org/")?.url == "wss://chat.example.org")
        for loopback in ["localhost:1", "127.9.9.9:1", "ws://[::1]:8080", "a.localhost:2"] {
            #expect(place(loopback)?.isLoopback == true, "\(loopback)")
        }
        for remote in ["10.0.0.1:8080", "ws://127.0.0.1.example.org", "127.0.0.1x:80", "[::2]:1"] {
            #expect(place(remote)?.isLoopback == false, "\(remote)")
        }
        let others = [
            "", "8080", "host", "http://a:1", "a:0", "a:99999", "a b:1", "ws://", "user@h:1", "h:1/x", "[::1",
        ]
        for wrong in others {
            #expect(place(wrong) == nil, "\(wrong)")
        }
    }
}
