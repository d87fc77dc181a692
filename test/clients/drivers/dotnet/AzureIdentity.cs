// Azure.Identity: ManagedIdentityCredential and DefaultAzureCredential.
using Azure.Core;
using Azure.Identity;

public static class AzureIdentity
{
    [ModuleInitializer]
    internal static void Add()
    {
        Driver.Clients["managed"] = request => Get(CreateManaged(request), request);
        Driver.Clients["default"] = request => Get(CreateDefault(request), request);
    }

    public static TokenCredential CreateManaged(Request request) => request.Kind switch
    {
        "client-id" => new ManagedIdentityCredential(request.Id),
        "resource-id" => new ManagedIdentityCredential(new ResourceIdentifier(request.Id)),
        "object-id" => CreateOfObjectId(request.Id),
        _ => new ManagedIdentityCredential(),
    };

    public static TokenCredential CreateDefault(Request request)
    {
        // The other credentials of the chain need a developer's tools.
        var options = new DefaultAzureCredentialOptions();
        if (request.Kind == "client-id") options.ManagedIdentityClientId = request.Id;
        if (request.Kind == "resource-id") options.ManagedIdentityResourceId = new ResourceIdentifier(request.Id);
        return new DefaultAzureCredential(options);
    }

    /// <summary>Creates the credential of an object id, which versions before 1.14 do not have.</summary>
    private static TokenCredential CreateOfObjectId(string id)
    {
        var type = typeof(ManagedIdentityCredential).Assembly.GetType("Azure.Identity.ManagedIdentityId")!;
        var identity = type.GetMethod("FromUserAssignedObjectId")!.Invoke(null, [id]);
        return (TokenCredential)Activator.CreateInstance(typeof(ManagedIdentityCredential), identity)!;
    }

    private static GetToken Get(TokenCredential credential, Request request) => async () =>
    {
        var token = await credential.GetTokenAsync(new TokenRequestContext([request.Scope]), default);
        return (token.Token, token.ExpiresOn);
    };
}
