/** The rules of a mesh whose proxy does not run. */
import { IMAGES } from './environment.ts'

/** Rules with the priority of a mesh's. No proxy listens on the two ports. */
const MESH_RULES = `table inet mesh {
  chain prerouting {
    type nat hook prerouting priority -100;
    meta l4proto tcp redirect to :15006
  }
  chain output {
    type nat hook output priority -100;
    oifname "lo" return
    tcp dport 443 return
    meta l4proto tcp redirect to :15001
  }
}`

/**
 * Redirects connections to a proxy that does not run, as the CNI plugins of Istio and Linkerd do before their proxy runs. It
 * redirects all inbound connections. Of the outbound ones it leaves out those over lo, and those to port 443, as an annotation
 * of a mesh can.
 */
export const meshInit = {
  name: 'mesh-init',
  image: IMAGES.around,
  command: ['nft', MESH_RULES],
  securityContext: {
    runAsUser: 0,
    runAsNonRoot: false,
    capabilities: { add: ['NET_ADMIN', 'NET_RAW'] },
  },
}
