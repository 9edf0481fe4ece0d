import Foundation

/// The run: stages in their order, each guarded, each leaving its part of the record.
public final class ProtocolRunner {
    private let engines: [any LlmEngine]
    private let device: any DeviceProbe
    private let bandwidth: BandwidthProbe
    private let clock: any RunClock
    private let listener: any RunListener

    /// `engines` are the runtimes at hand, one for each target.
    public init(
        engines: [any LlmEngine], device: any DeviceProbe, bandwidth: BandwidthProbe, clock: any RunClock, listener: any RunListener
    ) {
        self.engines = engines
        self.device = device
        self.bandwidth = bandwidth
        self.clock = clock
        self.listener = listener
    }

    /// Runs the artifact as `request` says, in the folder of `store`; the record is also on the disk with its `done.json`. Synchronous:
    /// call it on a thread of its own. Throws `StorageFailure` if the record itself cannot be written.
    public func run(artifact folder: URL, request: RunRequest, store: RunStore) throws -> RunRecord {
        let journal = try Journal(store: store, request: request, device: device, clock: clock, listener: listener)
        do {
            let subject = try journal.stage(.environment, onError: .internal) { try prepare(journal, folder, request) }
            let before = Clocks(clock, device)
            try journal.stage(.bandwidth, onError: .internal) { try probe(journal, request.protocol) }
            try measure(journal, subject)
            try journal.stage(.finish, onError: .internal) { finish(journal, subject, before) }
            return try journal.end(.completed)
        } catch is RunEnded {
            return journal.record
        }
    }

    private func prepare(_ journal: Journal, _ folder: URL, _ request: RunRequest) throws -> Subject {
        let artifact = try Artifact(folder: folder)
        let facts = artifact.facts
        journal.note { $0.artifact = facts }
        let cores = Cores(usable: device.usableCores(), device: journal.record.device)
        let subject = try Subject(artifact, request: request, engines: engines, cores: cores)
        try StartWait(limits: request.startLimits, device: device, clock: clock, journal: journal).await()
        return subject
    }

    private func probe(_ journal: Journal, _ asked: RunProtocol) throws {
        let measured = try bandwidth.measure(numThreads: asked.numThreads, probe: asked.probe)
        journal.note { $0.bandwidth = measured }
        journal.peakIsTheModels = device.resetPeakMemory()
    }

    /// The runtime lives from here until the last timed stage is over.
    private func measure(_ journal: Journal, _ subject: Subject) throws {
        let runtime = try journal.stage(.load, onError: .load) { try load(journal, subject) }
        try Measurement(journal: journal, device: device, clock: clock, subject: subject, runtime: runtime).run()
    }

    private func load(_ journal: Journal, _ subject: Subject) throws -> any LlmRuntime {
        try subject.engine.prepare(subject.artifact, options: subject.loadOptions)
        let start = clock.monotonicNs()
        let runtime = try subject.engine.load(subject.artifact, options: subject.loadOptions)
        let loaded = clock.monotonicNs()
        try runtime.write(token: 0, position: 0)
        try runtime.forward()
        let called = clock.monotonicNs()
        let observed = runtime.observed
        journal.note {
            $0.load = Load(loadNs: loaded - start, firstForwardNs: called - loaded)
            $0.observed = observed
        }
        return runtime
    }

    private func finish(_ journal: Journal, _ subject: Subject, _ before: Clocks) {
        let after = Clocks(clock, device)
        let environment = device.environment()
        journal.note { $0.environmentAfter = environment }
        let concerns = Concerns.find(journal.record, subject.reference, before: before, after: after)
        journal.note { $0.concerns = concerns }
    }
}
