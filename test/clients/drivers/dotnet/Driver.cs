// VARIANT RESOURCE [KIND ID]: gets a token by the client of that variant, and prints it in one line of JSON.
using System.Text.Json;

return await Driver.Run(args);

public sealed record Request(string Resource, string Kind, string Id)
{
    public string Scope => $"{Resource}/.default";
}

/// <summary>Gets a token. Without an expiry, the client does not report one.</summary>
public delegate Task<(string Token, DateTimeOffset? ExpiresOn)> GetToken();

public static partial class Driver
{
    /// <summary>Creates the clients of this set by their variant. Each file adds its own.</summary>
    public static readonly Dictionary<string, Func<Request, GetToken>> Clients = [];

    /// <summary>Prints the token. After WIMDS_TEST_AGAIN_AFTER seconds, when the token has ended, prints the client's next one.</summary>
    public static async Task<int> Run(string[] args)
    {
        var request = new Request(args[1], args.ElementAtOrDefault(2) ?? "", args.ElementAtOrDefault(3) ?? "");
        try
        {
            var getToken = Clients[args[0]](request);
            await Print(getToken);
            if (Environment.GetEnvironmentVariable("WIMDS_TEST_AGAIN_AFTER") is { } seconds)
            {
                await Task.Delay(TimeSpan.FromSeconds(int.Parse(seconds)));
                await Print(getToken);
            }
            return 0;
        }
        catch (Exception error)
        {
            Console.Error.WriteLine(error);
            return 1;
        }
    }

    private static async Task Print(GetToken getToken)
    {
        var (token, expiresOn) = await getToken();
        Console.WriteLine(JsonSerializer.Serialize(new { token, expiresOn = expiresOn?.ToUnixTimeSeconds() }));
    }

    /// <summary>Returns the last token that a simulated server got, for clients that do not return it.</summary>
    public static async Task<(string, DateTimeOffset?)> ReadLastToken()
    {
        using var http = new HttpClient();
        return (await http.GetStringAsync(Environment.GetEnvironmentVariable("WIMDS_TEST_LAST_TOKEN_URL")), null);
    }
}
