#if canImport(SwiftUI)
    import Foundation
    import HarnessScreens
    import SwiftUI
    import UniformTypeIdentifiers

    /// Runs as one file, which is made when it is sent and not before.
    struct SharedRuns: Transferable {
        let runIds: [String]
        let name: String
        let folders: Folders

        static var transferRepresentation: some TransferRepresentation {
            FileRepresentation(exportedContentType: .zip) { (shared: SharedRuns) in
                SentTransferredFile(try Sharing.archive(shared.runIds, named: shared.name, in: shared.folders))
            }
        }
    }

    struct ShareRunsLink: View {
        let label: String
        let runs: [RunSummary]
        let folders: Folders

        var body: some View {
            let name = Sharing.archiveName(runs)
            ShareLink(item: SharedRuns(runIds: runs.map(\.runId), name: name, folders: folders), preview: SharePreview(name)) { Text(label) }
        }
    }
#endif
