import Foundation
import LoadBench
import TestSupport
import Testing

@Suite struct ProcessTests {
    @Test func `a process's use is read, and an ended one's refused`() throws {
        let use = try ProcessMeter(pid: getpid()).read()
        #expect(use.residentBytes > 1_000_000)
        #expect(use.cpuSeconds >= 0)
        let ended = Process()
        ended.executableURL = URL(fileURLWithPath: "/bin/true")
        try ended.run()
        ended.waitUntilExit()
        #expect(throws: BenchFailure.self) { try ProcessMeter(pid: ended.processIdentifier).read() }
    }

    @Test func `a shell whose starter has signals blocked hears of its child's end`() async throws {
        var (all, before) = (sigset_t(), sigset_t())
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, &before)
        let started = Result { try ChildProcess(["/bin/sh", "-c", "sleep 0.1 & wait $!"]) }
        pthread_sigmask(SIG_SETMASK, &before, nil)
        // Asked by one thread at a time.
        nonisolated(unsafe) let shell = try started.get()
        try await eventually { !shell.isRunning }
    }

    @Test func `the process behind a port is found, and none behind one that nobody has`() throws {
        let (listener, port) = try FloorServer.open()
        #expect(ProcessFinder.listener(at: .localhost(port: port)) == getpid())
        close(listener)
        // Nobody listens on port 1.
        #expect(ProcessFinder.listener(at: .localhost(port: 1)) == nil)
    }

    @Test func `a server behind two addresses is metered once`() throws {
        let (listener, port) = try FloorServer.open()
        let target = LoopbackTarget.localhost(port: port)
        let meters = try Meters(of: LoadOptions(targets: [target, target], workerCommand: [], floorCommand: []))
        #expect(meters.servers.map(\.pid) == [getpid()])
        close(listener)
    }
}
