/** The queries that people type into the search of the site. */

interface Search {
  readonly typed: string
  /** The sections that answer the search; a page stands for all of its sections. */
  readonly answers: readonly string[]
}

/** Sections that answer many searches. */
const GROUPS: Readonly<Record<string, string>> = {
  '@failed':
    'troubleshooting#failed-to-acquire-a-token troubleshooting#net troubleshooting#what-the-application-sees',
  '@timeout':
    '@failed troubleshooting#connection-timed-out troubleshooting#entra_timeout troubleshooting#only-the-first-request-fails-or-some-fail',
  '@denied':
    'tasks/access-denied#the-service-says-403-forbidden-although-there-is-a-token tasks/access-denied#a-role-is-missing tasks/access-denied#steps',
  '@aad-pod-identity':
    'migrating#migration-from-azure-workload-identity-and-aad-pod-identity migrating#from-aad-pod-identity',
  '@program':
    'recipes/#programs-that-support-workload-identity recipes/#blob-csi-driver-blobfuse recipes/#cert-manager recipes/#dapr recipes/#external-dns recipes/#external-secrets-operator recipes/#keda recipes/#restic recipes/#thanos',
}

const expand = (answers: string): string[] =>
  answers.split(' ').flatMap((each) => (each in GROUPS ? expand(GROUPS[each] ?? '') : [each]))

/** `typed | answers | source`: the source is the public issue with these words, or `-`. */
const TABLE = `
700016 | aadsts#aadsts700016 | -
AADSTS700213 | aadsts#aadsts700213 | -
AADSTS70021 | aadsts#aadsts70021 | -
aadsts7000272 | aadsts#aadsts7000272 | -
AADSTS500011 | aadsts#aadsts500011 | -
AADSTS53003 | aadsts#aadsts53003 | -
No matching federated identity record found for presented assertion subject | aadsts#aadsts700213 | -
Failed to acquire a token | troubleshooting#failed-to-acquire-a-token | -
ManagedIdentityCredential authentication unavailable | troubleshooting#failed-to-acquire-a-token | -
connection refused | troubleshooting#connection-refused | -
timeout | troubleshooting#entra_timeout troubleshooting#connection-timed-out | -
connection timed out | troubleshooting#connection-timed-out | -
identity not found | troubleshooting#identity_not_found | -
Multiple user assigned identities exist | troubleshooting#identity_ambiguous | -
unable to verify the first certificate | troubleshooting#entra_tls | -
address already in use | troubleshooting#listen_failed | -
failed calling webhook | webhook#when-it-fails troubleshooting#webhook_unavailable | -
violates PodSecurity | troubleshooting#pod_not_admitted | -
CrashLoopBackOff | troubleshooting#sidecar_not_running troubleshooting#a-pod-does-not-start-or-is-stuck-in-init | -
ImagePullBackOff | troubleshooting#a-pod-does-not-start-or-is-stuck-in-init | -
AADSTS50013 | aadsts | -
EnvironmentCredential | troubleshooting#failed-to-acquire-a-token | -
429 Too Many Requests | troubleshooting#entra_throttled | -
ENOTFOUND login.microsoftonline.com | troubleshooting#entra_unreachable | -
self signed certificate in certificate chain | troubleshooting#entra_tls | -
no endpoints available for service "wimds" | troubleshooting#webhook_unavailable | -
403 Forbidden Key Vault | @denied | -
ForbiddenByRbac | tasks/access-denied#a-role-is-missing | -
AuthorizationFailed | tasks/access-denied#a-role-is-missing | -
AuthorizationPermissionMismatch | tasks/access-denied#a-role-is-missing | -
ForbiddenByFirewall | tasks/access-denied#a-firewall-of-the-service | -
install | install | -
upgrade | tasks/upgrade | -
uninstall | tasks/uninstall | -
helm values | chart#values | -
AKS Automatic | tasks/aks-automatic | -
openshift | tasks/openshift | -
istio | tasks/service-mesh | -
argo cd | tasks/gitops | -
aad-pod-identity | @aad-pod-identity | -
Support for private AKS clusters | webhook#private-aks-clusters | azure-workload-identity#584
network policy | tasks/restricted-clusters#network-policy-for-default-deny-egress | -
air gapped | install#air-gapped-clusters | -
prometheus | observability recipes/prometheus | -
pgbackrest | recipes/pgbackrest | -
grafana dashboard | observability#the-grafana-dashboard | -
local development | simulator | -
minimum SDK version workload identity | compatibility#minimum-sdk-version-for-workload-identity | -
benchmark | performance | -
entra down | operations#during-an-outage-of-entra-id | -
env mode | kubernetes#routing-modes tasks/roll-out#choose-the-mode | -
node agent | node-agent | -
WIMDS_PREFETCH | configuration#identity-and-cloud | -
wimds.io/mode | kubernetes#injection-at-admission | -
limitations | #limitations | -
windows | #limitations support#sdks-and-programs | -
audit log | operations#audit-log | -
ManagedIdentityCredential authentication unavailable. The requested identity has not been assigned to this resource | @failed troubleshooting#identity_not_found | azure-workload-identity#751
ManagedIdentityCredential authentication failed status code 404 | @failed troubleshooting#identity_not_found troubleshooting#not_found | aad-pod-identity#1250
Failed to retrieve IMDS token after 3 retries | @failed | aad-pod-identity#1250
dial tcp 169.254.169.254:80: connect: connection refused | @failed troubleshooting#connection-refused | azure-workload-identity#1135
dial tcp 169.254.169.254:80: i/o timeout | @failed troubleshooting#connection-timed-out troubleshooting#entra_timeout | AKS-Construction#177
the MSI endpoint is not available. Failed HTTP request to MSI endpoint | @failed troubleshooting#connection-timed-out troubleshooting#entra_timeout | AKS-Construction#177
169.254.169.254 context deadline exceeded | @failed troubleshooting#connection-timed-out troubleshooting#entra_timeout | external-dns#4375
side car container not working | troubleshooting#sidecar_not_ready troubleshooting#sidecar_not_running troubleshooting#pod_not_injected troubleshooting#sidecar_not_listening | azure-workload-identity#651
Failed to connect to MSI. Please make sure MSI is configured correctly | @failed | azure-workload-identity#1116
az login --identity | @failed recipes/azure-cli compatibility troubleshooting#the-sdk-does-not-call-the-sidecar sdk-variables | azure-cli#14577
NO_PROXY 169.254.169.254 | troubleshooting#token_request_proxied kubernetes#corporate-proxy-and-ca tasks/proxy-and-ca | certbot-dns-azure#54
Identity not found | troubleshooting#identity_not_found | aad-pod-identity#778
AzureServiceTokenProviderException: Identity not found | @failed troubleshooting#identity_not_found | aad-pod-identity#436
Tried the following 3 methods to get an access token, but none of them worked | @failed | aad-pod-identity#436
Received a non-retryable error. MSI ResponseCode | @failed | aad-pod-identity#436
Access token could not be acquired | @failed | aad-pod-identity#768
adal: Refresh request failed. Status Code = 404 | @failed troubleshooting#not_found troubleshooting#identity_not_found | aad-pod-identity#74
getting assigned identities for pod in CREATED state failed after 16 attempts | @failed migrating | azure-workload-identity#976
azure.workload.identity/inject-proxy-sidecar | migrating | azure-workload-identity#1210
workload identity with dapr sidecar | @program tasks/service-mesh | azure-workload-identity#791
environment variables not injected into the pod | troubleshooting#pod_not_injected troubleshooting#sdk_variables_missing | azure-workload-identity#525
pod is not injected | troubleshooting#pod_not_injected | azure-workload-identity#525
job does not complete sidecar keeps running | kubernetes#start-order-of-the-native-sidecar tasks/existing-workload migrating#differences | azure-workload-identity#773
AADSTS70021 No matching federated identity record found for presented assertion | aadsts#aadsts70021 aadsts#aadsts700213 troubleshooting#federated_credential_not_found | azure-workload-identity#340
AADSTS7002138 | aadsts troubleshooting#federated_credential_mismatch troubleshooting#federated_credential_not_found | Azure/login#517
AADSTS700211 | aadsts#aadsts700211 | azure-workload-identity#1200
Assertion Issuer kubernetes.default.svc.cluster.local | troubleshooting#issuer_mismatch troubleshooting#issuer_unreachable aadsts#aadsts700211 tasks/self-hosted-issuer troubleshooting#federated_credential_not_found aadsts#aadsts70021 | azure-workload-identity#616
AADSTS700024 client assertion is not within its valid time range | aadsts#aadsts700024 troubleshooting#assertion_expired troubleshooting#assertion_not_yet_valid | a question
HTTPConnectionPool(host=169.254.169.254, port=80): Max retries exceeded with url: /metadata/identity/oauth2/token | @failed troubleshooting#connection-timed-out troubleshooting#entra_timeout | zero-to-jupyterhub#2437
requests.exceptions.ConnectionError when doing MSIAuthentication | @failed troubleshooting#connection-timed-out troubleshooting#entra_timeout troubleshooting#connection-refused | zero-to-jupyterhub#2437
token response time spikes | performance operations runbooks#wimdsentraslow troubleshooting#entra_timeout | aad-pod-identity#726
IMDS probe timeout 1s | @timeout sdk-variables configuration#identity-and-cloud tasks/roll-out operations | azure-sdk-for-net#20609
Managed Identity to Connect AKS with Azure SQL | recipes/sql-server-dotnet recipes/sql-server-jdbc tasks/access-denied | aad-pod-identity#1437
Login failed for user '<token-identified principal>' | @denied tasks/access-denied#the-audience-or-the-tenant-is-wrong-or-the-token-has-expired | aad-pod-identity#851
parameter resource cannot be empty | troubleshooting#resource_missing | aad-pod-identity#851
MSI Token failure: Failed to acquire access token from IMDS | @failed | mssql-jdbc#1907
ActiveDirectoryMSI msiClientId | recipes/sql-server-jdbc recipes/sql-server-dotnet | mssql-jdbc#1316
Authentication=Active Directory Managed Identity | recipes/sql-server-dotnet | azure-workload-identity#976
Entity Framework Core managed identity | recipes/sql-server-dotnet | azure-workload-identity#976
No Managed Identity found for specified ClientId/ResourceId/PrincipalId | @failed troubleshooting#identity_not_found | SqlClient#815
external-dns | @program | external-dns#1556
cert-manager azure dns managed identity | @program | cert-manager/website#350
jupyterhub | @program troubleshooting#connection-timed-out | zero-to-jupyterhub#2437
does not have secrets get permission on key vault | @denied | azure-key-vault-to-kubernetes#182
keyvault.BaseClient#GetSecret StatusCode=403 | @denied | azure-key-vault-to-kubernetes#232
does not have authorization to perform action | @denied | kubernetes-keyvault-flexvol#180
If access was recently granted, please refresh your credentials | @denied | kubernetes-keyvault-flexvol#180
This request is not authorized to perform this operation | @denied tasks/access-denied#a-firewall-of-the-service | azure-sdk-for-net#46653
hostNetwork | kubernetes#rejected-pods #limitations troubleshooting#pod_not_injected | azure-workload-identity#1050
hostNetwork: true token | kubernetes#rejected-pods #limitations troubleshooting#pod_not_injected | aad-pod-identity#826
windows containers support | #limitations support#sdks-and-programs kubernetes#rejected-pods | azure-workload-identity#1017
virtual nodes ACI | support#clusters | azure-aci#131
restic | @program | restic#3698
velero | recipes/velero recipes/#velero | velero#6011
Error getting backup store for this location velero | recipes/velero recipes/#velero | devops-lab#219
repo1-azure-key-type=auto | recipes/pgbackrest | pgbackrest#2741
Multiple user assigned identities exist, please specify the clientId / resourceId | troubleshooting#identity_ambiguous | pgbackrest#2741
AZBLOB_USE_MANAGED_IDENTITY | recipes/clickhouse-backup | clickhouse-backup#1047
NewServicePrincipalTokenFromMSI | @failed recipes/clickhouse-backup compatibility recipes/coredns-azure | clickhouse-backup#1047
migrate from pod identity | @aad-pod-identity | a question
AzureIdentityBinding | @aad-pod-identity | aad-pod-identity#1437
AzurePodIdentityException | @aad-pod-identity | aad-pod-identity#552
native sidecar | kubernetes#start-order-of-the-native-sidecar | azure-workload-identity#1442
Assertion audience api://AzureADTokenExchange | troubleshooting#assertion_audience troubleshooting#federated_credential_mismatch aadsts#aadsts700212 troubleshooting#federated_credential_not_found | azure-workload-identity#340
proxy sidecar Bad Request 400 | @failed troubleshooting#requests troubleshooting#request_malformed troubleshooting#metadata_header_missing migrating#differences | azure-workload-identity#1116
Using managed identity extension to retrieve access token for Azure API | @failed @program | external-dns#1556
multiple identities in one pod | tasks/several-identities | a question
DefaultAzureCredential | @failed sdk-variables compatibility | a question
spring boot managed identity | recipes/spring-boot recipes/sql-server-jdbc | sql-docs#5839
terraform azurerm msi | recipes/terraform | a question
OpenShift security context constraint | tasks/openshift | hypershift#7867
pods stuck in Init | troubleshooting#a-pod-does-not-start-or-is-stuck-in-init troubleshooting#gate_failed troubleshooting#redirect_failed | azure-workload-identity#650
failed to get token | @failed | azure-workload-identity#650
how much memory does the sidecar need | kubernetes#resources tasks/roll-out#capacity-how-much-memory-and-cpu-the-sidecar-needs performance tasks/roll-out#choose-the-mode | a question
sidecar not injected | troubleshooting#pod_not_injected | azure-workload-identity#525
pod without sidecar | troubleshooting#pod_not_injected | azure-workload-identity#525
operation not permitted | troubleshooting#redirect_failed | a question
iptables | troubleshooting#redirect_failed kubernetes#routing-modes tasks/roll-out#choose-the-mode | azure-workload-identity#1050
is it production ready | support | a question
gateway timeout 504 | troubleshooting#entra_timeout | aad-pod-identity#726
key vault firewall | tasks/access-denied#a-firewall-of-the-service | a question
role assignment propagation | @denied | a question
federated credential limit 20 | tasks/trust tasks/roll-out | azure-workload-identity#1200
AADSTS90002 tenant not found | aadsts#aadsts90002 troubleshooting#tenant_refused | a question
AADSTS700016 application was not found in the directory | aadsts#aadsts700016 troubleshooting#application_refused | a question
azure government | configuration#clouds | a question
china cloud login.partner.microsoftonline.cn | configuration#clouds | a question
kustomize | tasks/gitops tasks/existing-workload kubernetes#injection-by-hand | a question
github actions | tasks/gitops tasks/trust tasks/outside-kubernetes | Azure/login#517
docker compose | tasks/outside-kubernetes | a question
run locally without kubernetes | tasks/outside-kubernetes simulator | azure-dev#124
token cache lifetime refresh | operations configuration protocol architecture performance | a question
webhook failurePolicy | webhook#when-it-fails troubleshooting#webhook_unavailable | azure-workload-identity#751
x509: certificate signed by unknown authority | troubleshooting#webhook_certificate_invalid troubleshooting#entra_tls | a question
SELF_SIGNED_CERT_IN_CHAIN | troubleshooting#entra_tls install#variants tasks/proxy-and-ca | a question
user assigned managed identity federated credential create | tasks/trust tasks/quick-start-aks kubernetes#identity | a question
kubelet identity | tasks/restricted-clusters #when-to-use-it | devops-stack#907
azcopy | recipes/azcopy | azure-cli#14577
external-secrets | @program | external-secrets#2783
fluent-bit | recipes/fluent-bit | a question
ManagedIdentityCredential authentication failed: Service request failed. Status: 403 (Forbidden) | @failed @denied | azure-sdk-for-net#19242
The managed identity endpoint is indicating there's no available identity | @failed troubleshooting#identity_not_found | azure-sdk-for-js#17584
Unable to connect to the Instance Metadata Service (IMDS). Skipping request to the Managed Service Identity (MSI) token endpoint | @failed | aad-pod-identity#1232
ImdsCredential.get_token failed: no response from the IMDS endpoint | @failed | azure-sdk-for-python#35452
failed to get matching identities for pod | @aad-pod-identity | aad-pod-identity#1300
nmi restarts often | @aad-pod-identity | aad-pod-identity#799
NMI throwing 404 | @aad-pod-identity troubleshooting#not_found | aad-pod-identity#1402
admissions.enforcer/disabled | webhook chart#webhook tasks/aks-automatic | azure-workload-identity#687
MutatingWebhookConfiguration failurePolicy | webhook#when-it-fails | AKS#3286
the Authority does not appear to use https | configuration#clouds configuration#identity-and-cloud | azure-workload-identity#611
federated token not created inside pod | troubleshooting#pod_not_injected troubleshooting#assertion_missing troubleshooting#the-projected-token troubleshooting#assertion_unreadable | azure-workload-identity#1023
The combination of issuer and subject must be unique | tasks/trust kubernetes#identity | azure-workload-identity#434
keda TriggerAuthentication workload identity | @program | AKS#3616
init-iptables.sh is hardcoded to port 8000 | migrating#differences migrating#from-the-azure-workload-identity-proxy migrating#replace-its-image kubernetes#injection-at-admission | azure-workload-identity#177
Don't require a privileged security context or the NET_ADMIN capability | tasks/restricted-clusters kubernetes#routing-modes tasks/roll-out#choose-the-mode | azure-workload-identity#1424
inject-proxy-sidecar blocks jobs in Kubernetes | kubernetes#start-order-of-the-native-sidecar migrating#differences migrating#from-the-azure-workload-identity-proxy migrating#replace-its-webhook | azure-workload-identity#773
istio native sidecars initContainers prevent pod from starting | tasks/service-mesh kubernetes#start-order-of-the-native-sidecar | istio#49221
ManagedIdentityCredential: IMDS token request timed out | @failed troubleshooting#only-the-first-request-fails-or-some-fail troubleshooting#connection-timed-out troubleshooting#entra_timeout | azure-sdk-for-go#19389
500ms timeout on IMDS available probe is too aggressive | @failed troubleshooting#only-the-first-request-fails-or-some-fail troubleshooting#connection-timed-out troubleshooting#entra_timeout | azure-sdk-for-net#9550
Default Credentials Authentication for IMDS fails with context deadline exceeded when running on ACI | @failed troubleshooting#only-the-first-request-fails-or-some-fail troubleshooting#connection-timed-out troubleshooting#entra_timeout support#clusters | azure-sdk-for-go#21013
IMDS Restriction on Azure Kubernetes Service | tasks/restricted-clusters | terraform-provider-azurerm#29032
MSI authentication: Identity not found issue | @failed troubleshooting#identity_not_found | blob-csi-driver#618
Received a non-retryable error. Identity Response Code: BadRequest | @failed troubleshooting#identity_not_found | SqlClient#815
Managed Identity authentication is not possible inside shell-less container | recipes/sql-server-dotnet | SqlClient#3055
database connectivity using Manage Identity in AKS jdbc | recipes/sql-server-jdbc | mssql-jdbc#1844
azure.BearerAuthorizer#WithAuthorization: Failed to refresh the Token for request | @failed | aad-pod-identity#553
failed to refresh ServicePrincipalTokenFromMSI using the MSI VM extension | @failed compatibility protocol | aad-pod-identity#585
unable to talk to AAD | troubleshooting#entra_unreachable troubleshooting#connectivity-to-entra-id | aad-pod-identity#606
Failed to retrieve OAuth Token from IMDS endpoint (CURLCode: 0, HTTP code: 400) | @failed | blob-csi-driver#618
Use MSI for persistent volume azure blob CSI | @program kubernetes#rejected-pods #limitations | azure-docs#119466
failed to create provider access token for the controller: ManagedIdentityCredential: context deadline exceeded | @failed troubleshooting#connection-timed-out troubleshooting#entra_timeout | image-reflector-controller#882
ManagedIdentityCredential: no default identity is assigned to this resource | @failed troubleshooting#identity_not_found troubleshooting#identity_ambiguous | image-reflector-controller#371
missing environment variable AZURE_TENANT_ID | @failed configuration#identity-and-cloud | image-reflector-controller#371
Azure CLI not found on path | @failed | source-controller#1071
DefaultAzureCredential: failed to acquire a token. Attempted credentials | @failed | source-controller#1071
Retry failed after 4 tries. (A task was canceled.) | @failed troubleshooting#connection-timed-out troubleshooting#entra_timeout | azure-sdk-for-net#19249
Sending request to IMDS identity endpoint got 500 status code back | @failed troubleshooting#internal | azure-sdk-for-net#19241
ManagedIdentityCredential fails sometimes in AKS | @failed troubleshooting#only-the-first-request-fails-or-some-fail troubleshooting#connection-timed-out troubleshooting#entra_timeout | azure-sdk-for-net#18312
significant delay for waiting the pod identity endpoint to be ready | @failed troubleshooting#only-the-first-request-fails-or-some-fail troubleshooting#connection-timed-out troubleshooting#entra_timeout kubernetes#start-order-of-the-native-sidecar operations#start troubleshooting#sidecar_not_ready | azure-sdk-for-net#19249
does not work on first request | @failed troubleshooting#only-the-first-request-fails-or-some-fail troubleshooting#connection-timed-out troubleshooting#entra_timeout operations#start kubernetes#start-order-of-the-native-sidecar | azure-sdk-for-js#13436
Multiple attempts failed to obtain a token from the managed identity endpoint | @failed | AppConfiguration#598
Failure to authenticate with user defined managed identity on AKS | @failed troubleshooting#identity_not_found | AppConfiguration#598
The policy requires the caller to use on-behalf-of (OBO) flow ForbiddenByPolicy | @denied | azure-key-vault-to-kubernetes#232
pod stuck in ContainerCreating | troubleshooting#a-pod-does-not-start-or-is-stuck-in-init | secrets-store-csi-driver-provider-azure#1328
failed to mount secrets store objects for pod. Status=403 Code="Forbidden" | @denied kubernetes#rejected-pods | secrets-store-csi-driver-provider-azure#1328
Pod cannot able to get values from akvs - 403 Forbidden | @denied | azure-key-vault-to-kubernetes#182
private endpoint Key Vault public access disabled | tasks/access-denied#a-firewall-of-the-service | secrets-store-csi-driver-provider-azure#1226
Key Vault access policy required instead of RBAC | @denied | azure-docs#117124
nmi response failed with status code: 403 | @denied @aad-pod-identity | secrets-store-csi-driver-provider-azure#88
AADSTS700016 Application with identifier was not found in the directory | aadsts#aadsts700016 troubleshooting#application_refused | azure-docs#108526
AADSTS90002: Tenant not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud | aadsts#aadsts90002 troubleshooting#tenant_refused | external-dns#4418
AADSTS700222 | aadsts | azure-workload-identity#820
InvalidAuthenticationTokenTenant | tasks/access-denied#the-audience-or-the-tenant-is-wrong-or-the-token-has-expired | azure-sdk-for-python#35268
AADSTS900023 Specified tenant identifier is neither a valid DNS name, nor a valid external domain | aadsts#aadsts900023 troubleshooting#tenant_refused | azure-sdk-for-js#29854
Setting up oidc discovery document | tasks/self-hosted-issuer | azure-workload-identity#254
How to configure with self-hosted OIDC url | tasks/self-hosted-issuer | azure-workload-identity#7
k3s oidc issuer | tasks/self-hosted-issuer | azure-workload-identity#1117
service-account-issuer kube-apiserver flags | tasks/self-hosted-issuer | azure-workload-identity#1117
workload identity on azure redhat openshift cluster | tasks/openshift | azure-workload-identity#1360
spark MSI storage account hadoop | recipes/hadoop-abfs | azure-container-apps#297
org.apache.hadoop.fs.azurebfs.oauth2.MsiTokenProvider | recipes/hadoop-abfs | trino#16041
HTTP connection failed for getting token from AzureAD | @failed recipes/hadoop-abfs | azure-container-apps#297
Connection to IMDS endpoint cannot be established | @failed | azure-sdk-for-java#40604
delta-rs managed identity | compatibility | delta-rs#662
could not acquire access token to parse claims: ManagedIdentityAuthorizer: failed to request token from metadata endpoint | @failed recipes/terraform | terraform-provider-azurerm#21187
terraform use_msi hangs and nothing happens | recipes/terraform | terraform-provider-azurerm#16501
ARM_USE_MSI | recipes/terraform | terraform-provider-azapi#962
Can't get kubelogin to work with MSI | troubleshooting#login_failed compatibility sdk-variables | kubelogin#35
support custom proxy and certificate | tasks/proxy-and-ca kubernetes#corporate-proxy-and-ca configuration#network | azure-sdk-for-java#47041
identity binding mode AKS | tasks/identity-bindings configuration#identity-bindings | azure-sdk-for-net#53436
sidecar injection annotation | kubernetes#injection-at-admission webhook | azure-workload-identity#496
make proxy image configurable | migrating#replace-its-image chart#images install#variants chart#values kubernetes#images | azure-workload-identity#1443
Lifetime Validation failed. Token is expired | @failed operations troubleshooting#assertion_expired tasks/access-denied#steps tasks/access-denied#the-audience-or-the-tenant-is-wrong-or-the-token-has-expired | azure-sdk-for-js#6643
ExpiredAuthenticationToken | @denied tasks/access-denied#the-audience-or-the-tenant-is-wrong-or-the-token-has-expired operations | azure-sdk-for-java#33112
MSI: Failed to acquire tokens after retrying 3 times | @failed | azure-sdk-for-java#23698
expires_in parsing issue | protocol compatibility #what-you-get migrating#differences | azure-sdk-for-java#32367
authentication causes timeout after upgrade azure identity java | @failed troubleshooting#connection-timed-out troubleshooting#entra_timeout | azure-sdk-for-java#25084
webhooks OutOfSync ArgoCD | tasks/gitops | seldon-core#2392
gatekeeper policy | tasks/roll-out#policies-gatekeeper-and-kyverno tasks/restricted-clusters node-agent#without-the-webhook troubleshooting#pod_not_admitted | gatekeeper#1058
az cli login does not work with workload identity | @failed recipes/azure-cli | azure-workload-identity#682
Multiple Managed Identities cause Azure Blob Storage access to fail | troubleshooting#identity_ambiguous @failed | thanos#5694
LoginWithMSI on AKS | compatibility#javascript compatibility#without-a-redirect @failed sdk-variables | ms-rest-nodeauth#109
loginWithAppServiceMSI | compatibility sdk-variables | ms-rest-nodeauth#109
DefaultAzureCredential authentication failed RESPONSE 403 Forbidden | @failed @denied | lakeFS#2997
Missing identity in MI enabled cluster | troubleshooting#identity_not_found @failed | AKS#1683
Add support for AD workload identity | compatibility#minimum-sdk-version-for-workload-identity @program | mimir#5505
federated token is only loaded once | troubleshooting#assertion_expired aadsts#aadsts700024 operations#rotation | azure-sdk-for-rust#1739
AADSTS700024: Client assertion is not within its valid time range. expiry time of assertion | aadsts#aadsts700024 troubleshooting#assertion_expired | risingwave#16262
AADSTS70023: External OIDC Provider token must have a lifetime of less than or equal to | aadsts | azure-docs#116275
az login --federated-token | compatibility#minimum-sdk-version-for-workload-identity recipes/azure-cli | azure-cli#24756
where does the value of AZURE_FEDERATED_TOKEN_FILE come from | configuration#identity-and-cloud sdk-variables troubleshooting#assertion_missing kubernetes | azure-docs#116275
TokenExpirationSeconds 3600 | troubleshooting#assertion_refused configuration kubernetes security operations#rotation migrating | azure-workload-identity#533
managed identity emulator | simulator | azure-app-configuration-emulator#109
pod identity docker-desktop | tasks/outside-kubernetes simulator tasks/self-hosted-issuer | aad-pod-identity#921
mock DefaultAzureCredential locally | simulator tasks/outside-kubernetes | lowkey-vault#611
run my real app unmodified on a laptop | simulator tasks/outside-kubernetes | fakecloud#2218
Pod Identity possible with sidecar? | #how-it-works migrating#from-aad-pod-identity migrating | azure-aci#131
block access to 169.254.169.254 with a NetworkPolicy | tasks/restricted-clusters | kubernetes#68078
What network policies are required to access Azure Metadata service | tasks/restricted-clusters | aad-pod-identity#417
cilium metadata server cannot be reached by a normal pod | support#networks node-agent tasks/restricted-clusters troubleshooting#connection-timed-out | cilium#28655
default-deny network policy egress | tasks/restricted-clusters | kube2iam#308
Pods with hostNetwork set to true don't work | kubernetes#rejected-pods #limitations | kiam#119
calico restrict access to metadata | tasks/restricted-clusters support#networks | kube2iam#147
cannot be authorized by AAD token in data plane | tasks/access-denied#a-role-is-missing | azure-cosmos-dotnet-v3#1971
Unauthorized access. 'Listen' claim(s) are required to perform this operation | @denied | azure-sdk-for-net#24289
failed to auth with workload identity from time to time | @failed troubleshooting#only-the-first-request-fails-or-some-fail troubleshooting#issuer_unreachable aadsts#aadsts501661 | AKS#4029
one replica is able to authenticate and the second is failing | @failed troubleshooting#only-the-first-request-fails-or-some-fail troubleshooting#pod_not_injected | azure-workload-identity#1270
pods are stuck in CrashLoopBackOff and the env vars AZURE_FEDERATED_TOKEN_FILE are not set after cluster start | troubleshooting#pod_not_injected troubleshooting#sdk_variables_missing webhook#when-it-fails troubleshooting#webhook_unavailable troubleshooting#assertion_missing troubleshooting#sidecar_not_running | azure-workload-identity#790
Getting an MSI token succeeds with curl but fails with @azure/identity | troubleshooting#the-sdk-does-not-call-the-sidecar @failed troubleshooting#token_request_proxied | azure-sdk-for-js#17584
oidcIssuerProfile.issuerUrl is null | troubleshooting#issuer_unreachable tasks/quick-start-aks tasks/trust kubernetes#identity | velero-plugin-for-microsoft-azure#212
Azure MSI support thanos | compatibility#go compatibility#minimum-sdk-version-for-workload-identity @program recipes/ | litestream#200
safe to enable workload identity on a cluster that uses AAD Pod Identity | @aad-pod-identity | azure-workload-identity#359
az cli in a docker container cannot use managed identity | tasks/outside-kubernetes recipes/azure-cli @failed | azure-cli#33567
principal does not have required RBAC permissions to perform action Microsoft.DocumentDB/databaseAccounts/readMetadata | tasks/access-denied#a-role-is-missing | azure-sdk-for-java#31217
403 This request is not authorized to perform this operation using this permission. | tasks/access-denied#a-role-is-missing @denied | azure-sdk-for-net#16140
The resource principal named was not found in the tenant named | aadsts#aadsts500011 troubleshooting#resource_refused | azure-docs#28489
AZURE_POD_IDENTITY_TOKEN_URL | sdk-variables configuration#endpoints-of-applications cli#wimds-env | azure-sdk-for-net#21942
IDENTITY_ENDPOINT variable is not present inside the container | troubleshooting#sdk_variables_missing sdk-variables | azure-docs#122273
Migrate from autorest/adal to azidentity | compatibility#minimum-sdk-version-for-workload-identity compatibility#go tasks/report | secrets-store-csi-driver-provider-azure#996
AKS rotate service account signing keys | operations#rotation troubleshooting#issuer_unreachable | AKS#3965
is the proxy sidecar injected by default | kubernetes#injection-at-admission webhook#which-pods tasks/namespace troubleshooting#pod_not_injected | azure-aks-docs#285
pods silently falling back to the node's managed identity | troubleshooting#route_to_other_service tasks/restricted-clusters#block-access-to-the-nodes-imds-and-kubelet-identity troubleshooting#the-token-is-that-of-another-identity | systemshardening.com
Calls via proxy or gateway aren't supported by IMDS, gateway error 502 | troubleshooting#token_request_proxied troubleshooting#forwarded_request @failed | azure-sdk-for-js#20223
could not create Azure client: empty managedidentity.UserAssignedClientID | recipes/prometheus | prometheus#16634
Support managed identity for Azure Blob output fluent bit | recipes/fluent-bit recipes/#fluent-bit-output-azure_kusto | fluent-bit#2814
No password has been provided but the backend requires one (in cleartext) | recipes/npgsql | aspire#6205
blobfuse managed identity in AKS pod | compatibility#minimum-sdk-version-for-workload-identity recipes/ compatibility#go compatibility#programs-and-scripts kubernetes#rejected-pods #limitations | azure-storage-fuse#1049
Cannot run proxy sidecar in an environment with hard ResourceQuotas enabled | kubernetes#resources troubleshooting#pod_not_admitted tasks/roll-out#capacity-how-much-memory-and-cpu-the-sidecar-needs | azure-workload-identity#1441
cannot update resource mutatingwebhookconfigurations | webhook#rights webhook#certificate troubleshooting#webhook_certificate_invalid | azure-workload-identity#856
Request to External OIDC endpoint failed | aadsts#aadsts50166 aadsts#aadsts501661 aadsts#aadsts90061 troubleshooting#issuer_unreachable | azure-cli#28863
no azure identity found for request clientID | troubleshooting#identity_not_found @failed @aad-pod-identity | azure-workload-identity#1270
no token file specified. Check pod configuration or set TokenFilePath in the options | troubleshooting#assertion_missing troubleshooting#pod_not_injected compatibility#minimum-sdk-version-for-workload-identity @failed | AppConfiguration#935
failed to acquire a token using the MSI VM extension, error: MSI not available | @failed | aad-pod-identity#1207
Loki Azure user assigned managed identity | compatibility#minimum-sdk-version-for-workload-identity @program recipes/ compatibility#go | loki#5710
Microsoft ODBC Driver for SQL Server | compatibility#c recipes/sql-server-dotnet recipes/sql-server-jdbc compatibility#programs-and-scripts | azure-workload-identity#593
external secret with managed identity not working on-premises | @program tasks/self-hosted-issuer | external-secrets#4972
http://localhost:50342/oauth2/token | sdk-variables compatibility protocol#other-protocols-and-documents configuration#endpoints-of-applications | kubernetes#63228
Provided AAD token was issued by the authority which is not trusted by this database account | tasks/access-denied#the-audience-or-the-tenant-is-wrong-or-the-token-has-expired | azure-sdk-for-js#32391
ManagedIdentityCredential authentication unavailable. No Managed Identity endpoint found | @failed troubleshooting#connection-timed-out troubleshooting#the-sdk-does-not-call-the-sidecar | azure-sdk-for-net#16140
MSI_ENDPOINT MSI_SECRET kubernetes deployment | sdk-variables kubernetes#routing-modes configuration#endpoints-of-applications | AKS#218
AzureServiceTokenProvider in AKS | compatibility#net troubleshooting#net @failed | azure-sdk-for-net#5841
object_id and msi_res_id options to obtain a user managed identity | tasks/several-identities configuration#the-identities-file troubleshooting#identity_not_found compatibility#python | azure-kusto-python#251
certificate wrong after rotation, failed calling webhook x509: certificate signed by unknown authority | troubleshooting#webhook_certificate_invalid troubleshooting#webhook_unavailable webhook#certificate | gatekeeper#1045
App Configuration tries to use all user assigned managed identities | tasks/several-identities troubleshooting#identity_ambiguous | azure-sdk-for-java#31217
label on the Deployment metadata but not on the pod template | troubleshooting#pod_not_injected kubernetes#injection-at-admission | aks-learning.github.io
no match for platform in manifest: not found windows | #limitations support#machines kubernetes#rejected-pods troubleshooting#a-pod-does-not-start-or-is-stuck-in-init | azure-workload-identity#1017
kube-prometheus-stack wrong workload identity is used, identity of the kubelet | troubleshooting#the-token-is-that-of-another-identity recipes/prometheus troubleshooting#route_to_other_service troubleshooting#pod_not_injected tasks/restricted-clusters#block-access-to-the-nodes-imds-and-kubelet-identity | prometheus-community/helm-charts#5538
azure_sd_configs authentication_method ManagedIdentity | recipes/prometheus | prometheus-operator#6256
Connect to Azure Database for PostgreSQL using Azure Workload Identity | recipes/npgsql recipes/spring-boot | azure-docs#108443
psql PGPASSWORD ossrdbms-aad.database.windows.net token | recipes/npgsql compatibility#programs-and-scripts sdk-variables | metabase#43168
access azure resources from your EKS cluster | tasks/eks-and-gke | azure-workload-identity#241
429 Too Many Requests when calling IMDS endpoint 169.254.169.254 | troubleshooting#entra_throttled troubleshooting#overloaded @failed | agentbeck.bot/report/7783
AuthorizationFailure azcopy user assigned managed identity | tasks/access-denied#a-firewall-of-the-service @denied recipes/azcopy recipes/#azcopy | azure-storage-azcopy#2982
workload identity for cronjob doesn't work properly | troubleshooting#pod_not_injected kubernetes#injection-at-admission | azure-workload-identity#932
No azure identity found for request clientID | troubleshooting#identity_not_found @aad-pod-identity | external-dns#4149
support for multiple managed identities per Kubernetes pod | tasks/several-identities | azure-workload-identity#408
Network policy cannot block the access to IMDS endpoint | tasks/restricted-clusters#block-access-to-the-nodes-imds-and-kubelet-identity | azure-docs#63362
databricks use_azure_managed_identity airflow AKS workload identity | recipes/airflow | airflow#41586
please increase the number of allowed federated identity credentials | tasks/trust#more-than-20-federated-identity-credentials-the-limit | azure-workload-identity#1172
Connection to IMDS endpoint cannot be established | @failed troubleshooting#connection-refused troubleshooting#connection-timed-out | azure-keyvault-plugin#257
IMDS endpoint availability is delayed after pod startup | kubernetes#start-order-of-the-native-sidecar troubleshooting#only-the-first-request-fails-or-some-fail | aad-pod-identity#992
DefaultAzureCredential for local docker testing | simulator tasks/outside-kubernetes | azure-sdk-for-net#19167
managed identity token lifetime 24 hours group membership change | tasks/access-denied#steps | azure-sdk-for-net#27019
SSL CERTIFICATE_VERIFY_FAILED unable to get local issuer certificate login.microsoftonline.com | troubleshooting#entra_tls tasks/proxy-and-ca | azure-cli#21696
failed calling webhook context deadline exceeded on GKE | webhook#when-it-fails webhook#ports-and-networks tasks/eks-and-gke troubleshooting#webhook_unavailable runbooks#wimdswebhookunreachable | azure-workload-identity#863
AAD Pod Identity archived and is no longer maintained | @aad-pod-identity | application-gateway-kubernetes-ingress#1599
the requested identity isn't assigned to this resource | troubleshooting#identity_not_found troubleshooting#identity_ambiguous @failed | velero#8348
workload identity in multiple tenants | configuration#multiple-tenants-applications-of-another-tenant | azurefile-csi-driver#2956
getting 429 from IMDS after migrating to Azure.Identity | troubleshooting#entra_throttled | azure-sdk-for-net#19190
AKS workload identity migration old Azure.Identity version sidecar needed | compatibility#minimum-sdk-version-for-workload-identity #when-to-use-it migrating#from-the-azure-workload-identity-proxy | azure-docs#99996
MutatingWebhookConfiguration out of sync argocd caBundle | tasks/gitops | keda charts#681
vault-agent azure auth failure with user assigned identity | recipes/vault-agent | vault-k8s#396
EKS Pod Identity or IRSA equivalent for Azure ServiceAccount | #how-it-works #when-to-use-it kubernetes#identity tasks/quick-start-aks tasks/existing-workload | provider-upjet-azure#908
ADLS Gen2 workload identity hadoop-azure | recipes/hadoop-abfs compatibility#minimum-sdk-version-for-workload-identity | starrocks#62743
role assignment changes are not being detected | tasks/access-denied#steps tasks/access-denied#a-role-is-missing | azure-docs#98862
proxy-init container runAsNonRoot true image will run as root | tasks/restricted-clusters kubernetes#routing-modes kubernetes#what-an-injected-pod-looks-like troubleshooting#a-pod-does-not-start-or-is-stuck-in-init | azure-workload-identity#697
ManagedIdentityCredential IMDS token request timed out | @timeout | azure-resourcemanager-exporter#18
federated identity credentials support for wildcards | tasks/trust#more-than-20-federated-identity-credentials-the-limit | azure-workload-identity#373
self-hosted github runners on AKS managed identity az login | recipes/azure-cli | Azure/login#593
wasb hook not using AZURE_CLIENT_ID for ManagedIdentityCredential | recipes/airflow | airflow#23266
give different identities to different containers in a pod | tasks/several-identities #limitations security#what-is-not-defended | aad-pod-identity#105
restrict traffic to IMDS endpoints from pods | tasks/restricted-clusters#block-access-to-the-nodes-imds-and-kubelet-identity | AKS#4037
jdbc ActiveDirectoryManagedIdentity AKS ERROR in getToken() call for scopes database.windows.net | recipes/sql-server-jdbc | azure-sdk-for-java#40067
AADSTS700024 WorkloadIdentityCredential getting expired token randomly | aadsts#aadsts700024 troubleshooting#assertion_expired | azure-sdk-for-python#44488
unable to validate against any security context constraint NET_ADMIN capability may not be added | tasks/openshift | istio#4500
application container restarts because proxy sidecar starts last | kubernetes#start-order-of-the-native-sidecar | azure-workload-identity#1108
The managed identity endpoint is indicating there's no available identity Status code 400 | @failed troubleshooting#identity_not_found | azure-sdk-for-js#31080
pod identity and workload identity at the same time during migration | @aad-pod-identity | azure-sdk-for-java#35596
egress network policy blocks request to IMDS endpoint connect timed out | tasks/restricted-clusters#network-policy-for-default-deny-egress troubleshooting#connection-timed-out | aad-pod-identity#1195
socket operation was attempted to an unreachable network 169.254.169.254:80 | troubleshooting#net troubleshooting#connection-timed-out @failed | azure-keyvault-emulator#468
cert-manager No ClientID found attempting to authenticate with ambient credentials | recipes/#cert-manager | cert-manager#7927
any pod can get an access token of the node managed identity VMSS | tasks/restricted-clusters#block-access-to-the-nodes-imds-and-kubelet-identity #when-to-use-it kubernetes#routing-modes | aad-pod-identity#420
identity binding DefaultAzureCredential fails to acquire a token EnableAzureTokenProxy | tasks/identity-bindings | azure-sdk-for-go#26399
webhook config causes pod creation to fail due to absence of sidecar injector | webhook#when-it-fails troubleshooting#webhook_unavailable runbooks#wimdswebhookdown webhook#availability | istio#7865
Pod not getting sidecar even though injection is requested | troubleshooting#pod_not_injected | k8s-sidecar-injector#61
federated token not created inside pod | troubleshooting#assertion_missing troubleshooting#pod_not_injected | azure-workload-identity#1023
multiple identities federated with one service account on an AKS pod | tasks/several-identities | microsoft-identity-web#2643
Nutanix Kubernetes Cluster Workload Identity | tasks/self-hosted-issuer | terraform-provider-azurerm#22471
Client assertion contains an invalid signature | aadsts#aadsts700027 | cli-microsoft365#1621
Regional Cache Auth Service token requests for audience App that is not MSI are forbidden | aadsts#aadsts100007 | microsoft-authentication-library-for-dotnet#2884
Support for nodeSelectors, podTopologyConstraints, and tolerations | chart#webhook chart#pods-of-the-webhook | ngrok-operator#557
injection intermittently not applied to new pods, failurePolicy Ignore | webhook#when-it-fails troubleshooting#pod_not_injected webhook#availability | eks-pod-identity-agent#153
concurrent token refresh attempts cause chronic 429 errors | operations#waves-and-the-rate-limits-of-entra-id troubleshooting#entra_throttled | microsoft-authentication-library-for-dotnet#4196
no matches for kind ServiceMonitor in version monitoring.coreos.com/v1 | observability#with-the-prometheus-operator | k8s-sidecar-injector#23
metadata server takes a few seconds to start accepting requests on a newly created Pod | kubernetes#start-order-of-the-native-sidecar troubleshooting#only-the-first-request-fails-or-some-fail operations#start | kubernetes-engine-samples#468
init-container cannot start in OpenShift due to the SecurityContext | tasks/openshift | vault-k8s#59
agent container is not getting added to client application pod | troubleshooting#pod_not_injected | vault-helm#770
kube2iam not working with metadata version v2 | troubleshooting#imdsv2_not_supported | kube2iam#300
OIDC signing key auto rotation frequency | operations#rotation | azure-docs#122497
`

export const SEARCHES: readonly Search[] = TABLE.trim()
  .split('\n')
  .map((line) => {
    const [typed = '', answers = ''] = line.split(' | ')
    return { typed, answers: expand(answers) }
  })
