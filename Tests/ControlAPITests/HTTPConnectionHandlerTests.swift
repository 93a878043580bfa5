import ControlAPI
import GatewayCore
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

/// The handler between the parser and whatever answers, on an embedded channel with both.
@Suite struct HTTPConnectionHandlerTests {
    /// Answers each request with its path, at once or when the test says so, and writes down what it was given.
    private final class Answerer: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        var answersAtOnce = true
        var headers: HTTPHeaders = [:]
        private(set) var paths: [String] = []
        private(set) var bytes = 0
        private(set) var errors = 0

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head): paths.append(head.uri)
            case .body(let buffer): bytes += buffer.readableBytes
            case .end: if answersAtOnce { answer(context) }
            }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            errors += 1
        }

        func answer(_ context: ChannelHandlerContext) {
            let body = paths.last ?? ""
            var headers = headers
            headers.add(name: "Content-Length", value: "\(body.utf8.count)")
            let head = HTTPResponseHead(version: .http1_1, status: .ok, headers: headers)
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: body)))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }

    private final class Port {
        let channel = EmbeddedChannel()
        let answerer = Answerer()

        init(table: ConnectionTable = ConnectionTable(places: 10)) throws {
            let start = channel.embeddedEventLoop.now
            let loop = channel.embeddedEventLoop
            let bound = NIOLoopBound(loop, eventLoop: loop)
            let handler = HTTPConnectionHandler(
                dependencies: HTTPConnectionHandler.Dependencies(
                    heads: RequestHeadRules(fence: .open),
                    times: HTTPConnectionRules.Times(head: .seconds(10), idle: .seconds(90), body: .seconds(30)),
                    table: table, now: { MonotonicTime(nanoseconds: (bound.value.now - start).nanoseconds) },
                    date: HTTPDateCache { 784_111_777 }, onRefusal: { _ in }))
            try #require(handler.takePlace(on: channel.eventLoop))
            try channel.pipeline.syncOperations.configureHTTPServerPipeline(
                withPipeliningAssistance: false, withErrorHandling: false)
            try channel.pipeline.syncOperations.addHandlers([handler, answerer])
            try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        }

        func send(_ text: String) throws {
            try channel.writeInbound(ByteBuffer(string: text))
        }

        func answers() throws -> String {
            var text = ""
            while let buffer = try channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: buffer) }
            return text
        }
    }

    private static func get(_ path: String, _ fields: String = "") -> String {
        "GET \(path) HTTP/1.1\r\nHost: a\r\n\(fields)\r\n"
    }

    @Test func `requests of one packet are answered in their order, each after the answer before`() throws {
        let port = try Port()
        port.answerer.answersAtOnce = false
        try port.send(HTTPConnectionHandlerTests.get("/1") + HTTPConnectionHandlerTests.get("/2"))
        #expect(port.answerer.paths == ["/1"])
        let context = try port.channel.pipeline.syncOperations.context(handler: port.answerer)
        port.answerer.answer(context)
        #expect(port.answerer.paths == ["/1", "/2"])
        port.answerer.answer(context)
        let text = try port.answers()
        #expect(text.ranges(of: "HTTP/1.1 200 OK").count == 2)
        #expect(port.channel.isActive)
    }

    @Test func `what stands behind a close is carried out by nobody, whoever said it`() throws {
        for (fields, headers): (String, HTTPHeaders) in [
            ("Connection: TE, close\r\n", [:]), ("", ["Connection": "close"]),
        ] {
            let port = try Port()
            port.answerer.headers = headers
            try port.send(HTTPConnectionHandlerTests.get("/1", fields) + HTTPConnectionHandlerTests.get("/2"))
            #expect(port.answerer.paths == ["/1"])
            let text = try port.answers()
            #expect(
                text.hasSuffix("/1")
                    && text.ranges(of: "connection: close").count + text.ranges(of: "Connection: close").count == 1)
            #expect(!port.channel.isActive)
        }
    }

    @Test func `what the head rules refuse reaches nobody and ends the connection`() throws {
        let port = try Port()
        try port.send("GET /1 HTTP/1.1\r\n\r\n" + HTTPConnectionHandlerTests.get("/2"))
        #expect(port.answerer.paths.isEmpty)
        let text = try port.answers()
        #expect(text.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
        #expect(text.contains("\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"))
        #expect(text.contains("\r\nConnection: close\r\n"))
        #expect(
            text.hasSuffix(#"{"error":{"code":"bad_request","message":"Host: missing, and HTTP/1.1 needs it"}}"#))
    }

    @Test func `an unreadable request is answered after those before it`() throws {
        let port = try Port()
        port.answerer.answersAtOnce = false
        try port.send(HTTPConnectionHandlerTests.get("/1") + "what is this\r\n\r\n")
        let context = try port.channel.pipeline.syncOperations.context(handler: port.answerer)
        port.answerer.answer(context)
        let text = try port.answers()
        let answers = text.ranges(of: "HTTP/1.1 ").map { text[$0.upperBound...].prefix(3) }
        #expect(answers == ["200", "400"])
        #expect(port.answerer.paths == ["/1"] && port.answerer.errors == 0)
    }

    @Test(arguments: [
        "/" + String(repeating: "a", count: 90_000), "/1 HTTP/1.1\r\nX: " + String(repeating: "a", count: 90_000),
    ])
    func `a head that is too long is told so`(start: String) throws {
        let port = try Port()
        try port.send("GET \(start)")
        let text = try port.answers()
        #expect(text.hasPrefix("HTTP/1.1 431 Request Header Fields Too Large\r\n"))
        #expect(text.contains(#""code":"too_large","message":"the request's head is too long"#))
        #expect(port.answerer.paths.isEmpty && port.answerer.errors == 0)
    }

    @Test func `a body that breaks off in the middle concerns whoever reads it`() throws {
        let port = try Port()
        try port.send("POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
        #expect(port.answerer.errors == 1)
    }

    @Test func `100 Continue comes when the body is wanted, and not with the answer`() throws {
        let post = "POST /1 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        let port = try Port()
        try port.send(post)
        #expect(try port.answers() == "")
        let context = try port.channel.pipeline.syncOperations.context(handler: port.answerer)
        context.triggerUserOutboundEvent(HTTPConnectionHandler.BodyIsWanted(), promise: nil)
        #expect(try port.answers() == "HTTP/1.1 100 Continue\r\n\r\n")
        try port.send("ok")
        #expect(port.answerer.bytes == 2)
        #expect(try port.answers().hasPrefix("HTTP/1.1 200 OK\r\n"))

        let refused = try Port()
        try refused.send(post)
        refused.answerer.answer(try refused.channel.pipeline.syncOperations.context(handler: refused.answerer))
        let text = try refused.answers()
        #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n") && text.contains("Connection: close"))
        #expect(!refused.channel.isActive)
    }

    @Test func `a head that does not come in time ends the connection, one that waits after an answer has longer`()
        throws
    {
        let port = try Port()
        try port.send("GET /1 HTTP/1.1\r\n")
        port.channel.embeddedEventLoop.advanceTime(by: .seconds(9))
        #expect(port.channel.isActive)
        port.channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(!port.channel.isActive)

        let kept = try Port()
        try kept.send(HTTPConnectionHandlerTests.get("/1"))
        kept.channel.embeddedEventLoop.advanceTime(by: .seconds(89))
        #expect(kept.channel.isActive)
        kept.channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(!kept.channel.isActive)
    }

    @Test func `a body that does not come in time ends the connection`() throws {
        let port = try Port()
        try port.send("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1")
        port.channel.embeddedEventLoop.advanceTime(by: .seconds(29))
        try port.send("2")
        #expect(port.channel.isActive)
        port.channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(!port.channel.isActive)
    }

    @Test func `a full port closes who rests and answers who asks`() throws {
        let table = ConnectionTable(places: 2)
        let asked = try Port(table: table)
        asked.answerer.answersAtOnce = false
        let resting = try Port(table: table)
        try asked.send(HTTPConnectionHandlerTests.get("/1"))
        let late = try Port(table: table)
        resting.channel.embeddedEventLoop.run()
        #expect(!resting.channel.isActive && asked.channel.isActive)
        try late.send(HTTPConnectionHandlerTests.get("/v1/nodes"))
        #expect(try late.answers().hasPrefix("HTTP/1.1 503 "), "the last place is for probes")
        let probe = try Port(table: table)
        try probe.send(HTTPConnectionHandlerTests.get("/healthz"))
        #expect(try probe.answers().hasPrefix("HTTP/1.1 200 "))
        asked.answerer.answer(try asked.channel.pipeline.syncOperations.context(handler: asked.answerer))
        #expect(try asked.answers().hasSuffix("/1"))
    }
}
