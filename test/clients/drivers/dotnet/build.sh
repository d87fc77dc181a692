#!/bin/sh
# Builds the drivers of the sets SET, or of all sets, into the folder TARGET: SET/driver.dll of each, and the program dotnet.
# Uses the .NET SDK of this machine and NuGet. On a machine without them, uses the SDK and the assemblies in the folder KIT.
# Arguments: TARGET KIT [SET]...
set -eu
target=$1 kit=$2 sources=$(dirname "$0")
shift 2
[ "$#" -gt 0 ] || set -- $(sed -n "s/.*ItemGroup Condition=\"'\$(Set)' == '\(.*\)'.*/\1/p" "$sources/Drivers.csproj")
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_CLI_HOME="$target"
if command -v dotnet >/dev/null; then
  ln -s "$(command -v dotnet)" "$target/dotnet"
else
  mkdir "$target/sdk"
  tar -xJf "$kit/sdk.tar.xz" -C "$target/sdk"
  tar -xJf "$kit/libraries.tar.xz" -C "$target"
  ln -s sdk/dotnet "$target/dotnet"
fi
for set in "$@"; do
  mkdir "$target/build"
  cp "$sources"/*.cs "$sources/Drivers.csproj" "$target/build"
  if [ -d "$target/libraries" ]; then
    libraries="-p:Libraries=$target/libraries/$set -p:RestoreSources=$target/build"
  fi
  # shellcheck disable=SC2086
  "$target/dotnet" publish "$target/build/Drivers.csproj" --nologo --verbosity quiet --output "$target/$set" \
    -p:Set="$set" ${libraries:-}
  rm -r "$target/build"
done
