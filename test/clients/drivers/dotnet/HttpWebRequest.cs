// HttpWebRequest, as in Microsoft's documentation of managed identities on virtual machines.
using System.Net;
using System.Text.Json;

public static class HttpWebRequestSample
{
    [ModuleInitializer]
    internal static void Add() => Driver.Clients["http-web-request"] = request => () => Get(request);

    private static Task<(string, DateTimeOffset?)> Get(Request request)
    {
        const string Url = "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=";
        var web = (HttpWebRequest)WebRequest.Create(Url + request.Resource);
        web.Headers["Metadata"] = "true";
        web.Method = "GET";
        using var response = (HttpWebResponse)web.GetResponse();
        var reply = JsonSerializer.Deserialize<Dictionary<string, string>>(response.GetResponseStream())!;
        var expiresOn = DateTimeOffset.FromUnixTimeSeconds(long.Parse(reply["expires_on"]));
        return Task.FromResult<(string, DateTimeOffset?)>((reply["access_token"], expiresOn));
    }
}
