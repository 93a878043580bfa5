extension Publication {
    /// About what it takes in memory until Redis has answered, with the names and arguments around its payload.
    package var memoryBytes: Int { payload.count + 512 }
}
