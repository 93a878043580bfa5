#if canImport(Network)
    import Foundation
    import Network
    import Synchronization

    /// The system's word on networks and on the app's place, for as long as this lives.
    ///
    /// `@unchecked Sendable`: the observers are set up before anybody else knows it, and the rest lies behind the lock.
    final class NetworkWatch: @unchecked Sendable {
        private let monitor = NWPathMonitor()
        private let rule = Mutex(NetworkRule())
        private let reconnect: @Sendable () -> Void
        private var observers: [any NSObjectProtocol] = []

        /// - Parameter reconnect: called on any thread.
        init(reconnect: @escaping @Sendable () -> Void) {
            self.reconnect = reconnect
            monitor.pathUpdateHandler = { [weak self] path in
                let interfaces = path.availableInterfaces.map(\.name)
                self?.tell { $0.changed(to: .init(isReachable: path.status == .satisfied, interfaces: interfaces)) }
            }
            monitor.start(queue: DispatchQueue(label: "martlet.network"))
            // By name, since an app's extension may not use UIApplication; where there is none, nobody posts them.
            observe("UIApplicationDidEnterBackgroundNotification") { rule in
                rule.left(at: .now)
                return false
            }
            observe("UIApplicationWillEnterForegroundNotification") { $0.returned(at: .now) }
        }

        deinit {
            monitor.cancel()
            for observer in observers { NotificationCenter.default.removeObserver(observer) }
        }

        private func observe(_ name: String, _ step: @escaping @Sendable (inout NetworkRule) -> Bool) {
            observers.append(
                NotificationCenter.default.addObserver(
                    forName: Notification.Name(name), object: nil, queue: nil
                ) { [weak self] _ in self?.tell(step) })
        }

        private func tell(_ step: (inout NetworkRule) -> Bool) {
            if rule.withLock({ step(&$0) }) { reconnect() }
        }
    }
#endif
