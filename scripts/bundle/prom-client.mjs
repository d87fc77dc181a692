// The part of prom-client that the exposition calls. Its main module also brings clusters, a push
// gateway and metrics of the process.
import Registry from 'prom-client/lib/registry.js'

export default { Registry }
