import Foundation

/// The terminal that a command runs on, read key by key; what it was before is restored.
final class Terminal {
    private var before = termios()

    init() {
        tcgetattr(STDIN_FILENO, &before)
        var raw = before
        // Ctrl-C comes as a key, so that all is put back before the end.
        raw.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG)
        tcsetattr(STDIN_FILENO, TCSANOW, &raw)
        // The other screen, without a cursor.
        write("\u{1b}[?1049h\u{1b}[?25l")
    }

    func restore() {
        write("\u{1b}[?25h\u{1b}[?1049l")
        tcsetattr(STDIN_FILENO, TCSANOW, &before)
    }

    /// Columns; 80 where it does not say.
    var width: Int {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// The next key, or nil when there was none for so long. Blocks the thread, of which the command has no other use.
    func key(within time: Duration) -> Character? {
        var state = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        guard poll(&state, 1, Int32(time / .milliseconds(1))) > 0 else { return nil }
        var byte: UInt8 = 0
        // The end of the input is as good as a wish to end.
        return read(STDIN_FILENO, &byte, 1) == 1 ? Character(Unicode.Scalar(byte)) : "q"
    }

    func show(_ text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        // Each line is overwritten in place and its rest cleared, which flickers less than an empty screen between.
        write("\u{1b}[H" + lines.map { "\($0)\u{1b}[K" }.joined(separator: "\r\n") + "\u{1b}[J")
    }

    private func write(_ text: String) {
        // Where nobody can see it, there is nobody to show it to.
        try? FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
    }
}
