import HarnessCore

/// One run to come: which artifact of the choice, and its place in the order.
public struct PlannedRun: Sendable, Equatable {
    public let arm: Arm?
    public let order: Int
    public let block: Int
    public let repetition: Int
}

/// The order of a press of the button. A pair goes A B B A, A B B A, ... so that a phone that grows warmer or slower does so for both arms
/// alike; which arm is A is drawn. Every run is a process of its own.
public enum RunPlan {
    public static let defaultRunsPerSide = 5
    public static let maxRunsPerSide = 10

    /// `runsPerSide` runs of each arm, at least 1.
    public static func pair(runsPerSide: Int, first: Arm) -> [PlannedRun] {
        precondition(runsPerSide >= 1, "runs per side must be 1 or more, not \(runsPerSide)")
        let second: Arm = first == .deep ? .wide : .deep
        let block = [first, second, second, first]
        var done = [Arm: Int]()
        return (0..<2 * runsPerSide).map { order in
            let arm = block[order % block.count]
            let repetition = done[arm, default: 0]
            done[arm] = repetition + 1
            return PlannedRun(arm: arm, order: order, block: order / block.count, repetition: repetition)
        }
    }

    /// `runs` runs of one artifact.
    public static func single(runs: Int) -> [PlannedRun] {
        precondition(runs >= 1, "runs must be 1 or more, not \(runs)")
        return (0..<runs).map { PlannedRun(arm: nil, order: $0, block: $0, repetition: $0) }
    }
}
