# Two images from one file: `sidecar` (the default) and `redirect`, the init container that routes
# 169.254.169.254:80 to it. Neither has a shell or a package manager.
#
#   docker build -t wimds .
#   docker build -t wimds-redirect --target redirect .

# The release passes both by digest.
ARG BUILD_IMAGE=docker.io/library/node:24-bookworm-slim
ARG RUNTIME_IMAGE=gcr.io/distroless/nodejs24-debian12:nonroot

FROM ${RUNTIME_IMAGE} AS runtime

# `wimds` on the PATH: it links the C library that Node needs, too.
FROM ${BUILD_IMAGE} AS launcher
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev
COPY native/wimds.c ./
RUN gcc -std=gnu11 -Os -s -Wall -Wextra -Werror -o /launcher wimds.c

FROM ${BUILD_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
# Without the Node that the project brings for machines that have another (scripts/node).
RUN npm ci --ignore-scripts --workspaces=false
COPY LICENSE ./
COPY examples/legacy-client examples/legacy-client
COPY scripts scripts
COPY src src
# By the Node of the images: V8 takes compiled code of the very same build of itself alone.
COPY --from=runtime /nodejs /nodejs
RUN /nodejs/bin/node scripts/build.mjs
# Executables under the names that people and the azure-workload-identity webhook call; the script's has the
# absolute path of the Node that is in the image, since nothing there could search a PATH.
COPY --from=launcher /launcher /image/usr/local/bin/wimds
RUN rm -r dist/demo \
  && mkdir -p /image/app \
  && cp -r dist/. LICENSE /image/app/ \
  && sed -i '1s|^#!.*|#!/nodejs/bin/node|' /image/app/wimds.js \
  && chmod 755 /image/app/wimds.js \
  && ln -s /usr/local/bin/wimds /image/proxy

FROM ${BUILD_IMAGE} AS tools
RUN apt-get update && apt-get install -y --no-install-recommends nftables iproute2
# nft, ip and nsenter with the libraries that they load, and the licences of all of them, as far as a base
# that was made small has kept its own.
RUN mkdir -p /tools/usr/sbin \
  && cp /usr/sbin/nft /usr/bin/nsenter "$(readlink -f "$(command -v ip)")" /tools/usr/sbin/ \
  && ldd /tools/usr/sbin/* | grep -o '/[^ )]*\.so[^ )]*' | sort -u | xargs cp -L --parents -t /tools \
  && find /tools -type f -printf '*/%f\n' | xargs dpkg-query -S | cut -d: -f1 | sort -u \
    | sed 's|.*|/usr/share/doc/&/copyright|' | xargs ls 2>/dev/null \
    | xargs cp -L --parents -t /tools /usr/share/common-licenses/*

FROM runtime AS redirect
COPY --from=tools /tools/ /
COPY --from=build /image/ /
# The kernel's rules are root's; the pod drops every capability but NET_ADMIN.
USER 0:0
ENTRYPOINT ["/nodejs/bin/node", "/app/wimds.js"]
CMD ["redirect"]

FROM runtime AS sidecar
COPY --from=build /image/ /
# What neither the sidecar nor the webhook needs is refused to all commands: other files, processes,
# threads, add-ons, debuggers. So demo and simulate are for the npm package. docs/security.md says how to
# allow more.
# glibc keeps freed memory in an arena per thread; these settings return it (docs/performance.md).
ENV MALLOC_ARENA_MAX=1 \
    MALLOC_TRIM_THRESHOLD_=131072 \
    MALLOC_MMAP_THRESHOLD_=131072 \
    NODE_ENV=production \
    NODE_OPTIONS="--permission --allow-fs-read=/app --allow-fs-read=/var/run/secrets --allow-fs-read=/run/secrets --allow-fs-read=/etc/wimds --allow-fs-read=/etc/ssl --allow-fs-read=/tls --allow-fs-read=/proc/self/fd --allow-fs-read=/proc/self/net/tcp --allow-fs-read=/proc/self/net/tcp6 --disable-sigusr1 --report-exclude-env --no-experimental-sqlite"
USER 1501:1501
WORKDIR /
EXPOSE 8000 9169
ENTRYPOINT ["/nodejs/bin/node", "/app/wimds.js"]
CMD ["serve"]
