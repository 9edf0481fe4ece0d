"""iPhones, through `xcrun devicectl` or go-ios."""
