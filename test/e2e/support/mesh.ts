/** The rules of a mesh whose proxy does not run. */
import { IMAGES } from './environment.ts'

/** The priority of a mesh's rules, in their order. A proxy listens on neither port. */
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
 * Redirects connections to a proxy that does not run, as Istio's and Linkerd's CNI plugins do before theirs runs:
 * all inbound ones, and outbound ones but those over lo and, excluded by annotation, to port 443.
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
