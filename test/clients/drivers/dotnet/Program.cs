// Azure.Identity: ManagedIdentityCredential or DefaultAzureCredential. VARIANT RESOURCE [KIND ID]
using System;
using System.Text.Json;
using Azure.Core;
using Azure.Identity;

var clientId = args.Length > 3 ? args[3] : null;
TokenCredential credential = args[0] == "default"
    ? new DefaultAzureCredential(
        new DefaultAzureCredentialOptions { ManagedIdentityClientId = clientId })
    : new ManagedIdentityCredential(clientId);
var token = credential.GetToken(new TokenRequestContext(new[] { args[1] + "/.default" }), default);
var line = new { token = token.Token, expiresOn = token.ExpiresOn.ToUnixTimeSeconds() };
Console.WriteLine(JsonSerializer.Serialize(line));
