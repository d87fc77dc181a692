// Azure.Identity from 1.14 on: an identity by its object id.
using System.Runtime.CompilerServices;
using Azure.Identity;

public static class ObjectId
{
    [ModuleInitializer]
    internal static void Add() =>
        AzureIdentity.OfObjectId = id =>
            new ManagedIdentityCredential(ManagedIdentityId.FromUserAssignedObjectId(id));
}
