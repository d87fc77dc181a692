/** `section | words`: what people type for it, such as other names and messages of programs. Only the search reads them. */
const TABLE = `compatibility#minimum-sdk-version-for-workload-identity | does the library support workload identity natively, which release, dependency, feature request, credential class
configuration#multiple-tenants-applications-of-another-tenant | cross-tenant multitenant guest customer different directory
configuration#the-instance-document | metadata service compute vmId subscriptionId resourceGroupName location region discover discovery auto-detect environment required use-instance-metadata
kubernetes#routing-modes | iptables nftables link-local intercept NET_ADMIN init container eBPF Cilium Calico kube-proxy
kubernetes#start-order-of-the-native-sidecar | race condition before the application container, restartPolicy Always initContainers order startupProbe first seconds, Job never completes, sidecar terminates early, KEP-753 blocks jobs CronJob hangs token in init containers
kubernetes#resources | requests limits ResourceQuota LimitRange QoS Guaranteed HPA VPA must specify cpu memory configurable autoscaling
kubernetes#injection-at-admission | automatic mutate pod template namespaceSelector
operations#graceful-shutdown | SIGTERM terminationGracePeriodSeconds preStop shutting down too early drain, requests fail at termination, rolling update, exit
operations#during-an-outage-of-entra-id | AAD downtime resilience availability incident cached tokens expire backup disaster
operations#waves-and-the-rate-limits-of-entra-id | 429 throttling scale out thundering herd burst thousands of pods jitter concurrent refresh concurrency storm chronic
operations#revoke-access | compromised leaked stolen token block disable emergency lifetime TTL 24 hours how long is a token valid
operations#audit-log | who requested which pod used the identity, sign-in logs, SIEM compliance trace correlation id Log Analytics
install#fqdns-for-an-egress-firewall | allowlist whitelist outbound hosts URLs domains Azure Firewall NSG required endpoints
performance#figures | latency throughput requests per second overhead footprint CPU usage p99 slow delay first token time token caching synchronous performance issues
performance#in-a-cluster | pod startup time added seconds slower start delay overhead
migrating#from-aad-pod-identity | deprecated archived AzureIdentity AzureIdentityBinding AzureAssignedIdentity aadpodidbinding NMI MIC end of life
security#threat-model | SSRF steal token exfiltrate compromised pod attacker lateral movement pentest
security#hardening | securityContext readOnlyRootFilesystem runAsNonRoot seccomp capabilities allowPrivilegeEscalation FIPS CIS
security#contents-of-the-images | CVE scan Trivy Grype Snyk vulnerabilities SBOM distroless base image openssl scanner findings
simulator#simulator-a-managed-identity-emulator-for-local-development | laptop minikube fake mock IMDS local testing CI unit tests
support#clusters | AKS EKS GKE OpenShift k3s RKE Rancher kind minikube Talos Nutanix vSphere Tanzu AKS Arc Azure Stack HCI on-premises bare metal
support#networks | CNI Cilium Calico kube-proxy eBPF IPv6 dual-stack overlay kubenet flannel does not work with
support#machines | ARM64 amd64 Graviton Bottlerocket Mariner Azure Linux Ubuntu kernel FIPS node pool exec format error
tasks/access-denied#steps | role assigned but still denied, cached token, 24 hours, group membership, permissions not refreshed, propagation delay
tasks/access-denied#a-role-is-missing | insufficient privileges does not have authorization to perform action permission denied Storage Blob Data Contributor Secrets access policy container
tasks/access-denied#a-firewall-of-the-service | private endpoint network rules public network access client address is not authorized vnet
tasks/access-denied#the-audience-or-the-tenant-is-wrong-or-the-token-has-expired | 401 unauthorized InvalidAuthenticationToken invalid_token claim empty wrong tenant
tasks/existing-workload#if-the-sidecar-crashes-or-is-out-of-memory | OOMKilled exit code 137 memory leak increasing growing restarts CrashLoopBackOff
tasks/gitops#gitops-argo-cd-and-flux | OutOfSync drift caBundle ignoreDifferences HelmRelease Kustomization self-heal diff
tasks/proxy-and-ca#corporate-proxy-and-ca | HTTP_PROXY HTTPS_PROXY NO_PROXY squid zscaler TLS inspection trust bundle ca-certificates NODE_EXTRA_CA_CERTS
tasks/restricted-clusters#block-access-to-the-nodes-imds-and-kubelet-identity | kubelet node fallback VM identity agentpool pods can use NetworkPolicy bypass host metadata
tasks/restricted-clusters#network-policy-for-default-deny-egress | NetworkPolicy blocked allow DNS Cilium Calico deny-all
tasks/roll-out#capacity-how-much-memory-and-cpu-the-sidecar-needs | sizing overhead resource usage cost per pod footprint scale
tasks/self-hosted-issuer#self-hosted-oidc-issuer-of-k3s-kind-and-kubeadm | openid-configuration jwks discovery document on-premises RKE Rancher Talos Nutanix vSphere Tanzu Azure Stack HCI
tasks/service-mesh#service-meshes-istio-and-linkerd | mTLS STRICT PeerAuthentication envoy istio-proxy excludeOutboundIPRanges linkerd-proxy Consul Cilium scrape scraping ambient
tasks/several-identities#several-identities-in-one-pod | two multiple user-assigned client ids federated with one service account switch choose different containers
tasks/trust#federated-credentials-of-a-fleet | many clusters automate terraform bulk create clean up ephemeral preview namespaces per branch
tasks/trust#which-namespaces-may-use-an-identity | impersonate impersonating restrict which pods or ServiceAccounts may use isolation security labels
tasks/trust#more-than-20-federated-identity-credentials-the-limit | maximum count exceeded wildcard flexible claims matching expression quota
tasks/uninstall#steps | remove delete clean up leftover namespace terminating finalizer
tasks/upgrade#steps | update version bump rolling version mismatch old sidecar does not match injector restart pods
tasks/upgrade#a-new-version-in-a-few-namespaces-first | canary staged blue-green revision injectors side by side gradual
tasks/upgrade#security-fixes | CVE vulnerability patch scan image
troubleshooting#failed-to-acquire-a-token | CredentialUnavailableError CredentialUnavailableException AuthenticationFailedException ClientAuthenticationError DefaultAzureCredential ChainedTokenCredential no response from the IMDS endpoint dropping
troubleshooting#connection-refused | ECONNREFUSED dial tcp 169.254.169.254:80 connect actively refused
troubleshooting#connection-timed-out | ETIMEDOUT i/o timeout context deadline exceeded Client.Timeout exceeded hangs no route to host EHOSTUNREACH unreachable unable to connect
troubleshooting#a-pod-does-not-start-or-is-stuck-in-init | Pending Init:0/1 Init:CrashLoopBackOff PodInitializing ContainerCreating ErrImagePull FailedScheduling FailedMount MountVolume.SetUp remain new nodes liveness readiness probe failed
troubleshooting#only-the-first-request-fails-or-some-fail | intermittent sporadic random occasionally flaky sometimes race condition cold start retry second attempt metadata server takes a few seconds newly created pod
troubleshooting#the-token-is-that-of-another-identity | wrong identity used agentpool unexpected object id appid oid wrong permissions
troubleshooting#pod_not_injected | no sidecar, not getting a sidecar, not working, not instrumented, not mutated, webhook ignored, annotation present without effect, CronJob cronjob Job Deployment, after cluster restart, existing pods container not added to the application pod
troubleshooting#assertion_missing | federated token not created, AZURE_FEDERATED_TOKEN_FILE no such file or directory, volume azure-identity-token not mounted
runbooks#wimdsnodeagentdown | never recovers node failure crash
troubleshooting#issuer_mismatch | cluster recreated, new OIDC issuer URL, old federated credentials overwritten
troubleshooting#token_request_proxied | NO_PROXY HTTP_PROXY behind a proxy, unexpected content type text/html, squid 403 503
troubleshooting#imdsv2_not_supported | metadata version v2 AWS EC2 hop limit
troubleshooting#assertion_expired | token is not being refreshed, stale, read only once, long-running process
troubleshooting#identity_not_found | no managed identity for the specified client id, failed to get matching identities, no AzureAssignedIdentity
troubleshooting#issuer_unreachable | openid-configuration JWKS discovery cannot be fetched private oidcIssuerProfile
troubleshooting#entra_throttled | 429 too many requests rate limit throttle backoff Retry-After chronic migrating calls
troubleshooting#entra_tls | x509 certificate signed by unknown authority UNABLE_TO_GET_ISSUER_CERT_LOCALLY SELF_SIGNED_CERT_IN_CHAIN handshake failure SSL
troubleshooting#entra_timeout | 504 gateway timeout slow latency handshake timeout delay packet loss
troubleshooting#entra_unreachable | unable to talk to AAD DNS EAI_AGAIN ENOTFOUND no such host lookup CoreDNS blocked egress
troubleshooting#webhook_unavailable | failed calling webhook context deadline exceeded timed out injector down cannot create pods Internal error occurred
troubleshooting#webhook_certificate_invalid | x509 caBundle bad certificate expired remote error tls unknown authority SAN
webhook#which-pods | objectSelector exclude kube-system ignore skip opt out system namespaces label scope trying to inject
doctor#wimds-doctor | diagnose debug inspect connectivity check why
tasks/roll-out#steps | adoption plan production teams platform gradual
troubleshooting#request_abandoned | client closed connection context canceled broken pipe 499
troubleshooting#federated_credential_not_found | created shortly before, propagation delay, new
metrics#metrics | exposed path port scrape endpoint list of all metrics
observability#with-the-prometheus-operator | ServiceMonitor PodMonitor kube-prometheus-stack kind monitoring.coreos.com scrape target not discovered
node-agent#node-agent | DaemonSet per node without sidecar NMI replacement
chart#pods-of-the-webhook | nodeSelector tolerations affinity topologySpreadConstraints topology spread constraints taints scheduling priorityClassName
webhook#availability | HA replicas PodDisruptionBudget anti-affinity single point of failure injector down drain cluster upgrade
webhook#when-it-fails | MutatingWebhookConfiguration failurePolicy Ignore Fail timeout absence of injector, from time to time pods start without the sidecar
webhook#other-mutating-webhooks | order conflict breaks sidecars Istio Vault Dapr any injected container variables missing
webhook#ports-and-networks | firewall GKE private cluster control plane cannot reach API server timed out overlay CNI`

export const WORDS = Object.fromEntries(TABLE.split('\n').map((line) => line.split(' | ')))
