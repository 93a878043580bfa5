import NIOCore

/// One direction of one connection: reads from its channel, writes to the other. On the loop only.
final class Pump: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// Bytes that wait for their turn, or for another treatment where they have none.
    private struct Waiting {
        let buffer: ByteBuffer
        var due: NIODeadline?
    }

    var treatment: FaultProxy.Treatment {
        didSet { resume() }
    }
    private let other: any Channel
    private let onBytes: (Int) -> Void
    /// Called with the first bytes as they grow, before the new ones are passed on.
    var onBeginning: (([UInt8]) -> Void)?
    private var context: ChannelHandlerContext?
    /// In the order they came in; nothing overtakes.
    private var waiting: [Waiting] = []
    private var isAbandoned = false
    /// The first bytes that came.
    private var beginning = ByteBuffer()
    private static let beginningBytes = 4096

    init(to other: any Channel, treatment: FaultProxy.Treatment, onBytes: @escaping (Int) -> Void) {
        self.other = other
        self.treatment = treatment
        self.onBytes = onBytes
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        onBeginning = nil
    }

    func resume() {
        switch treatment {
        case .pass: hurry(.now())
        case .delay(let amount): hurry(.now() + amount)
        case .hold: for index in waiting.indices { waiting[index].due = nil }
        case .stall, .drop: break
        }
        if treatment != .stall { context?.read() }
    }

    /// Nothing that waits is passed on later than at this time.
    private func hurry(_ latest: NIODeadline) {
        for index in waiting.indices { waiting[index].due = min(waiting[index].due ?? latest, latest) }
        passOn()
    }

    /// Passes on what is due, up to the first that is not.
    private func passOn() {
        let now = NIODeadline.now()
        let ready = waiting.prefix { $0.due.map { $0 <= now } ?? false }
        for one in ready { other.write(one.buffer, promise: nil) }
        if !ready.isEmpty { other.flush() }
        waiting.removeFirst(ready.count)
        guard let next = waiting.first?.due else { return }
        _ = other.eventLoop.assumeIsolated().scheduleTask(deadline: next) { self.passOn() }
    }

    var firstBytes: [UInt8] { Array(beginning.readableBytesView) }

    /// Whether this was among the first bytes that came.
    func hasBrought(_ word: String) -> Bool {
        String(decoding: beginning.readableBytesView, as: UTF8.self).contains(word)
    }

    func cut() {
        context?.close(promise: nil)
    }

    /// Closes this side and leaves the other one open.
    func abandon() {
        isAbandoned = true
        cut()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        onBytes(buffer.readableBytes)
        let missing = Pump.beginningBytes - beginning.readableBytes
        if missing > 0 {
            beginning.writeBytes(buffer.readableBytesView.prefix(missing))
            onBeginning?(firstBytes)
        }
        switch treatment {
        case .pass:
            other.writeAndFlush(buffer, promise: nil)
        case .delay(let amount):
            waiting.append(Waiting(buffer: buffer, due: .now() + amount))
            if waiting.count == 1 { passOn() }
        case .hold, .stall:
            waiting.append(Waiting(buffer: buffer, due: nil))
        case .drop:
            break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if treatment != .stall { context.read() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if !isAbandoned { other.close(promise: nil) }
    }
}
