import NIOCore

/// Has time be looked at for as long as something waits for it: a node at rest is not woken. It belongs to one loop.
final class Ticker: @unchecked Sendable {
    private static let pace = TimeAmount.milliseconds(50)

    private let loop: any EventLoop
    /// Answers whether something waits still; nil before the start and after the end.
    private var look: (() -> Bool)?
    /// The next look; nil while nothing waits.
    private var next: Scheduled<Void>?

    init(loop: any EventLoop) {
        self.loop = loop
    }

    func start(_ look: @escaping () -> Bool) {
        self.look = look
        wake()
    }

    func stop() {
        next?.cancel()
        next = nil
        look = nil
    }

    /// Something waits for time to pass.
    func wake() {
        guard next == nil, look != nil else { return }
        next = loop.scheduleTask(in: Ticker.pace) { [self] in
            next = nil
            if look?() == true { wake() }
        }
    }
}
