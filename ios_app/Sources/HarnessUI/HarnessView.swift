#if canImport(SwiftUI)
    import HarnessScreens
    import SwiftUI

    /// The app: whatever its model has on the screen.
    public struct HarnessView: View {
        let model: AppModel

        public init(model: AppModel) { self.model = model }

        public var body: some View {
            NavigationStack { screen }
        }

        @ViewBuilder private var screen: some View {
            switch model.screen {
            case .pick: PickView(model: model)
            case .history: HistoryView(model: model)
            case .results(let group): results(group)
            case .running: running
            case .between(let next): between(next)
            case .record(let json): ScrollView { Text(json).font(.caption).accessibilityIdentifier("record") }
            case .message(let message): self.message(message)
            }
        }

        /// No animation: whatever moves costs time that the run would be charged for.
        private var running: some View {
            PageView(page: RunningPage.page(model.running))
                .toolbar { Button("Stop") { model.stop() } }
                .transaction { $0.animation = nil }
                .accessibilityIdentifier("running")
        }

        @ViewBuilder private func results(_ group: RunGroup) -> some View {
            if let result = model.resultPage(group) {
                PageView(page: result.page, share: model.recordFile)
                    .toolbar {
                        ShareRunsLink(label: "Share all", runs: result.runs, folders: model.folders)
                        Button("Back") { model.show() }
                    }
                    .accessibilityIdentifier("results")
            } else {
                message("The runs of \(group.title) are not there any more.")
            }
        }

        private func between(_ next: String) -> some View {
            List {
                Text(next).accessibilityIdentifier("between")
                Text("Every run is a process of its own. Close the app and open it again: it goes on by itself.").font(.footnote)
                Button("Close the app") { model.close() }.accessibilityIdentifier("close")
                Button("Stop here and show what there is") { model.stopSeries() }
            }
            .navigationTitle("Between two runs")
        }

        private func message(_ message: String) -> some View {
            List {
                Text(message).textSelection(.enabled).accessibilityIdentifier("message")
                Button("Back") { model.show() }
            }
            .navigationTitle("Not done")
        }
    }
#endif
