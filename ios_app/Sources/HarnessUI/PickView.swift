#if canImport(SwiftUI)
    import Foundation
    import HarnessCore
    import HarnessScreens
    import SwiftUI

    /// Pick a pair or one artifact, say how to measure it, and press Run.
    struct PickView: View {
        let model: AppModel
        @State private var isImporting = false

        var body: some View {
            List {
                Section {
                    Text("Measures what depth costs: per-token latency and memory bandwidth of two models of equal size.").font(.footnote)
                }
                candidates
                if model.pick.candidate != nil { settings }
                phone
                Section {
                    if let importing = model.importing { Text(importing).font(.footnote) }
                    Button("Run") { model.run() }.disabled(!model.pick.canRun).accessibilityIdentifier("run")
                    Button("Earlier runs") { model.showHistory() }.accessibilityIdentifier("history")
                }
            }
            .navigationTitle("deepnarrow")
            .toolbar {
                Button("Import") { isImporting = true }
                Button("Look again") { model.look() }
            }
            .fileImporter(isPresented: $isImporting, allowedContentTypes: [.folder]) { picked in
                Task { await model.importArtifacts(picked) }
            }
        }

        private var candidates: some View {
            Section("Pair or artifact") {
                if model.pick.candidates.isEmpty { Text(PickModel.nothingFound).font(.footnote) }
                ForEach(model.pick.candidates) { candidate in
                    Button { model.change { $0.choose(candidate.id) } } label: {
                        CandidateLabel(candidate: candidate, isChosen: candidate.id == model.pick.choice.candidateId)
                    }
                }
                ForEach(model.pick.unusable, id: \.self) { Text($0).font(.footnote).foregroundStyle(.red) }
            }
        }

        private var settings: some View {
            Section("How") {
                let pick = model.pick
                Stepper("Threads: \(pick.choice.numThreads)", value: threads, in: 1...max(1, pick.numCores))
                Text(pick.threadsNote).font(.footnote)
                if let candidate = pick.candidate, candidate.backends.count > 1 {
                    Picker("Compute units", selection: backend) {
                        ForEach(candidate.backends, id: \.self) { Text($0.rawValue).tag($0) }
                    }
                }
                Stepper("\(pick.runsLabel): \(pick.choice.runsPerSide)", value: runs, in: 1...RunPlan.maxRunsPerSide)
                Text(pick.runsNote).font(.footnote)
                ForEach(pick.contextOptions) { option in
                    Toggle(option.label, isOn: isOn(option)).disabled(!option.fits).accessibilityLabel(option.spoken)
                }
                Text("Tokens already in the context. \(pick.contextsNote)").font(.footnote)
            }
        }

        private var phone: some View {
            Section("Phone") {
                Text(model.conditions.line)
                BadgeView(badge: model.conditions.badge)
                ForEach(model.conditions.concerns, id: \.self) { Text($0).font(.footnote) }
            }
        }

        private var threads: Binding<Int> {
            Binding(get: { model.pick.choice.numThreads }, set: { count in model.change { $0.setThreads(count) } })
        }

        private var runs: Binding<Int> {
            Binding(get: { model.pick.choice.runsPerSide }, set: { count in model.change { $0.setRunsPerSide(count) } })
        }

        private var backend: Binding<Backend> {
            Binding(get: { model.pick.choice.backend }, set: { backend in model.change { $0.setBackend(backend) } })
        }

        private func isOn(_ option: ContextOption) -> Binding<Bool> {
            Binding(get: { option.isOn }, set: { _ in model.change { $0.toggle(option.id) } })
        }
    }

    struct CandidateLabel: View {
        let candidate: Candidate
        let isChosen: Bool

        var body: some View {
            HStack {
                VStack(alignment: .leading) {
                    Text(candidate.title)
                    Text(candidate.detail).font(.footnote)
                }
                Spacer()
                if isChosen { Image(systemName: "checkmark") }
            }
            .accessibilityAddTraits(isChosen ? .isSelected : [])
        }
    }
#endif
