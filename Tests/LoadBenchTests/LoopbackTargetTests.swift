import LoadBench
import Testing

@Suite struct LoopbackTargetTests {
    @Test(arguments: [
        ("127.0.0.1:8080", "127.0.0.1:8080"), ("8080", "127.0.0.1:8080"), ("localhost:1", "127.0.0.1:1"),
        ("ws://127.9.8.7:65535/", "127.9.8.7:65535"), ("http://localhost:8081", "127.0.0.1:8081"),
    ])
    func `an address of this machine is taken`(_ text: String, _ read: String) throws {
        #expect(try LoopbackTarget(text).description == read)
    }

    @Test(arguments: [
        "10.0.0.1:80", "example.com:80", "128.0.0.1:80", "0.0.0.0:80", "[::1]:80", "127.0.0.1", "127.0.0.1:0",
        "127.0.0.1:65536", "127.0.0.256:80", "127.1:80", "", ":80", "localhost", "127.0.0.1:80/ws",
    ])
    func `anything else is refused`(_ text: String) {
        #expect(throws: BenchFailure.self) { try LoopbackTarget(text) }
    }
}
