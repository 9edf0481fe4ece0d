#if canImport(SwiftUI)
    import HarnessScreens
    import SwiftUI

    /// Earlier runs, by group; what is shown can be filtered and shared as one file.
    struct HistoryView: View {
        @Bindable var model: AppModel

        var body: some View {
            let groups = model.history.groups(model.filter)
            List {
                Picker("Show", selection: $model.filter.kind) {
                    ForEach(HistoryFilter.Kind.allCases) { Text($0.rawValue).tag($0) }
                }
                if groups.isEmpty { Text("No run is there, or none that the filter takes.").font(.footnote) }
                ForEach(groups) { group in
                    Section(group.group.title) {
                        Button(group.line) { model.showResults(group.group) }
                        ShareRunsLink(label: "Share as one file", runs: group.runs, folders: model.folders)
                    }
                }
                ForEach(model.history.unreadable, id: \.self) { Text($0).font(.footnote).foregroundStyle(.red) }
            }
            .searchable(text: $model.filter.text, prompt: "Pair, phone, day or reason")
            .navigationTitle("Earlier runs")
            .toolbar { Button("Back") { model.show() } }
        }
    }
#endif
