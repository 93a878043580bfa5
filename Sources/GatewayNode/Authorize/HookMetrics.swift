import GatewayCore
import Metrics

/// What was asked, and what came of it.
struct HookMetrics: Sendable {
    private let questions: [String: Counter]
    private let answeredCalls, failedCalls: Counter
    private let duration: Timer

    init(factory: any MetricsFactory) {
        var questions: [String: Counter] = [:]
        for action in ["connect", "join", "publish"] {
            for result in ["allowed", "denied", "failed"] {
                questions[action + result] = Counter(
                    label: "martlet_authorize_questions_total", dimensions: [("action", action), ("result", result)],
                    factory: factory)
            }
        }
        self.questions = questions
        func calls(_ result: String) -> Counter {
            Counter(label: "martlet_authorize_calls_total", dimensions: [("result", result)], factory: factory)
        }
        (answeredCalls, failedCalls) = (calls("answered"), calls("failed"))
        duration = Timer(label: "martlet_authorize_call_duration_seconds", dimensions: [], factory: factory)
    }

    func ruled(_ question: Question, _ ruling: Ruling) {
        let result =
            switch ruling {
            case .allowed: "allowed"
            case .denied: "denied"
            case .failed: "failed"
            }
        questions[question.action + result]?.increment()
    }

    func answered(after time: Duration) {
        answeredCalls.increment()
        duration.recordNanoseconds(time.nanoseconds)
    }

    func failed(after time: Duration) {
        failedCalls.increment()
        duration.recordNanoseconds(time.nanoseconds)
    }
}
