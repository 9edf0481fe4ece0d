import Foundation
import HarnessCore
import Observation

/// What is on the screen.
public enum Screen: Sendable, Equatable {
    case pick
    case history
    /// The results of a group.
    case results(RunGroup)
    case running
    /// A run of the series is over, and the next needs a process of its own.
    case between(String)
    /// A launched run that stays open: the record, as JSON.
    case record(String)
    /// What was refused and why.
    case message(String)
}

/// The app's state. One process makes at most one run: no warm cache, no leftover thread pool, no heap of an earlier model.
@MainActor @Observable
public final class AppModel {
    public private(set) var screen = Screen.pick
    public var pick: PickModel
    public private(set) var history = History.empty
    public private(set) var conditions: Conditions
    public private(set) var running = RunningState.preparing
    public var filter = HistoryFilter()

    /// What an import is doing or did; nil without one.
    public private(set) var importing: String?

    public let folders: Folders
    private let measurer: any Measurer
    private let seriesFile: SeriesFile
    /// Ends the process with a code; tests keep it.
    private let exit: @MainActor (Int32) -> Void
    private let draw: DrawSignal
    private var library = Library.empty
    private var hasRun = false

    /// `drawDelayMs`: how long the run waits until a new picture is out, two frames by default.
    public init(folders: Folders, measurer: any Measurer, drawDelayMs: Int = 50, exit: @escaping @MainActor (Int32) -> Void) {
        self.folders = folders
        self.measurer = measurer
        self.exit = exit
        seriesFile = SeriesFile(folders)
        draw = DrawSignal(delayMs: drawDelayMs)
        pick = PickModel(library: .empty, numCores: measurer.numCores, choice: Choice())
        conditions = measurer.conditions()
    }

    /// Once the app is in front: runs what the environment asks for, goes on with a series, or shows the screens.
    public func open(environment: [String: String]) {
        do {
            try folders.prepare()
            if let launch = try LaunchRequest(environment: environment, folders: folders) { return start(launch) }
            look()
            resume()
        } catch {
            refuse(error, launched: environment[LaunchRequest.artifactVariable] != nil || environment[LaunchRequest.requestVariable] != nil)
        }
    }

    /// Reads the folders again.
    public func look() {
        library = Library(scanning: folders.artifacts)
        pick = PickModel(library: library, numCores: measurer.numCores, choice: pick.choice)
        history = History(reading: folders.runs)
        conditions = measurer.conditions()
    }

    /// `first`: drawn, where the caller does not say.
    public func run(first: Arm = Bool.random() ? .deep : .wide) {
        guard case .pick = screen else { return }
        guarded {
            let series = try Requests.series(pick, session: Requests.newSession(), first: first)
            try seriesFile.write(series)
            goOn(series)
        }
    }

    public func stopSeries() {
        seriesFile.remove()
        show()
    }

    /// Ends the process; a run that is active is then recorded as one that died in its stage, and its series is over.
    public func stop() {
        seriesFile.remove()
        exit(ExitCode.notCompleted.rawValue)
    }

    /// Closes the app; the next run begins when it is opened again.
    public func close() { exit(ExitCode.completed.rawValue) }

    public func show() {
        look()
        screen = .pick
    }

    public func showHistory() {
        look()
        screen = .history
    }

    public func showResults(_ group: RunGroup) { screen = .results(group) }

    public func resultPage(_ group: RunGroup) -> ResultPage? {
        let runs = history.runs(of: group)
        return runs.isEmpty ? nil : ResultPage(runs: runs)
    }

    /// The file of one run; nil if it is gone.
    public func recordFile(_ runId: String) -> URL? {
        let file = Sharing.record(runId, in: folders)
        return FileManager.default.fileExists(atPath: file.path) ? file : nil
    }

    /// Copies artifact folders that were picked in Files.
    public func importArtifacts(_ picked: Result<URL, any Error>) async {
        do {
            let source = try picked.mapError { UserError("nothing was imported: \($0.localizedDescription)") }.get()
            importing = "Copying \(source.lastPathComponent) ..."
            let folders = folders
            let copied = try await Task.detached { try Importer.copyPicked(source, into: folders) }.value
            look()
            importing = "\(copied.count == 1 ? "1 artifact" : "\(copied.count) artifacts") came in."
        } catch {
            importing = nil
            refuse(error, launched: false)
        }
    }

    private func resume() {
        guard let series = seriesFile.read() else { return }
        guarded { goOn(series) }
    }

    private func goOn(_ series: Series) {
        switch series.state(runs: folders.runs) {
        case .next(let run):
            if hasRun { return screen = .between("\(series.place(run).capitalizedFirst) is next.") }
            guarded {
                let (artifact, request) = try Requests.planned(series, run, in: library)
                start(artifact: artifact.folder, request: request, place: series.place(run)) { [weak self] end in
                    self?.afterRun(of: series, end)
                }
            }
        case .over, .stopped:
            seriesFile.remove()
            showResults(ofSession: series.session)
        }
    }

    private func afterRun(of series: Series, _ end: Result<RunEnd, UserError>) {
        if case .failure(let error) = end {
            seriesFile.remove()
            screen = .message(error.message)
        } else {
            look()
            goOn(series)
        }
    }

    private func showResults(ofSession session: String) {
        history = History(reading: folders.runs)
        let newest = history.runs.filter { $0.runId.hasPrefix(session + ".") }.max { $0.runId < $1.runId }
        screen = newest.map { .results($0.group) } ?? .pick
    }

    private func start(_ launch: LaunchRequest) {
        start(artifact: launch.artifact, request: launch.request, place: nil) { [weak self] end in
            guard let self else { return }
            switch end {
            case .failure(let error): refuse(error, launched: true)
            case .success(let end):
                let record = Sharing.record(end.runId, in: folders)
                FileHandle.standardOutput.write(OutputLines.end(end, record: record))
                if launch.stays { screen = .record(String(decoding: FileManager.default.contents(atPath: record.path) ?? Data(), as: UTF8.self)) }
                else { exit(ExitCode(end).rawValue) }
            }
        }
    }

    /// Everything timed is synchronous on one thread of the highest quality of service.
    private func start(artifact: URL, request: RunRequest, place: String?, then: @escaping @MainActor @Sendable (Result<RunEnd, UserError>) -> Void) {
        hasRun = true
        running = .preparing
        running.place = place
        screen = .running
        let measurer = measurer, runs = folders.runs
        let screen = ModelScreen(draw: draw) { [weak self] state in self?.running = state }
        let thread = Thread {
            let listener = ProgressListener(screen: screen, place: place) { measurer.conditions() }
            let end = Result { try measurer.run(artifact: artifact, request: request, runs: runs, listener: listener) }
                .mapError { $0 as? UserError ?? UserError("\($0)") }
            DispatchQueue.main.async { MainActor.assumeIsolated { then(end) } }
        }
        thread.qualityOfService = .userInteractive
        thread.stackSize = 8 << 20
        thread.start()
    }

    private func refuse(_ error: any Error, launched: Bool) {
        let message = (error as? UserError)?.message ?? "\(error)"
        screen = .message(message)
        guard launched else { return }
        FileHandle.standardError.write(Data("\(message)\n".utf8))
        exit(ExitCode.badInput.rawValue)
    }

    private func guarded(_ action: () throws -> Void) {
        do { try action() } catch { refuse(error, launched: false) }
    }
}

/// Hands a picture to the main actor and waits until it is on the screen, so that nothing is drawn in the timed region that follows.
struct DrawSignal: Sendable {
    let delayMs: Int
    /// A main actor that is busy for longer must not stop the run.
    static let patienceMs = 1000

    func draw(_ action: @escaping @MainActor @Sendable () -> Void) {
        let drawn = DispatchSemaphore(value: 0)
        let delay = delayMs
        DispatchQueue.main.async {
            MainActor.assumeIsolated(action)
            DispatchQueue.main.asyncAfter(deadline: .now() + .milliseconds(delay)) { drawn.signal() }
        }
        _ = drawn.wait(timeout: .now() + .milliseconds(Self.patienceMs))
    }
}

/// The running screen, and standard output, as a run's thread sees them.
struct ModelScreen: RunScreen {
    let draw: DrawSignal
    let show: @MainActor @Sendable (RunningState) -> Void

    func status(stage: Stage, done: Int, total: Int) {
        FileHandle.standardOutput.write(OutputLines.progress(stage: stage, done: done, total: total))
    }

    func draw(_ state: RunningState) {
        let show = show
        draw.draw { show(state) }
    }
}

extension String {
    fileprivate var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}
