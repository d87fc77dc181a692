# Builds four images, by target:
#   sidecar   the default
#   redirect  the sidecar's image with nft and ip, for the init container that redirects 169.254.169.254:80 to the sidecar
#   cluster   the webhook and the node agent; only this image has a client of the Kubernetes API
#   gate      one program, for the init container of mode node
# None has a shell or a package manager. All but `gate` share the layers of Node and of the tools.
#
#   docker build -t wimds .
#   docker build -t wimds-redirect --target redirect .
#   docker build -t wimds-cluster --target cluster .
#   docker build -t wimds-gate --target gate .

# The release passes the base image by digest.
ARG BUILD_IMAGE=docker.io/library/node:24-bookworm-slim

FROM ${BUILD_IMAGE} AS debian
# A time of snapshot.debian.org, such as 20261126T000000Z. The build installs the packages of that time, so it can be repeated.
ARG DEBIAN_SNAPSHOT
RUN if [ -n "$DEBIAN_SNAPSHOT" ]; then \
    rm -rf /etc/apt/sources.list.d/* \
    && for suite in 'debian bookworm' 'debian bookworm-updates' 'debian-security bookworm-security'; do \
      echo "deb [check-valid-until=no] http://snapshot.debian.org/archive/${suite% *}/$DEBIAN_SNAPSHOT ${suite#* } main"; \
    done >/etc/apt/sources.list; \
  fi \
  && apt-get update \
  && apt-get install -y --no-install-recommends binutils ca-certificates gcc iproute2 libc6-dev musl-tools nftables
COPY scripts/image-root.sh /
# Copies Node, Debian's libraries for Node, the CA bundle, and the user and group databases. Node has no symbols, which are a sixth
# of the file and which only a debugger reads. The files have the time 0, so this layer changes only with Node and Debian's packages.
RUN mkdir -p /base/nodejs/bin /base/etc/ssl/certs && mkdir -m 1777 /base/tmp \
  && strip --strip-all -o /base/nodejs/bin/node /usr/local/bin/node \
  && node --version >/base/nodejs/version \
  && if [ -e /usr/local/LICENSE ]; then cp /usr/local/LICENSE /base/nodejs/; fi \
  && /image-root.sh /base ca-certificates /etc/os-release /etc/debian_version \
    $(ldd /base/nodejs/bin/node | grep -o '/[^ )]*') \
  && cp /etc/ssl/certs/ca-certificates.crt /base/etc/ssl/certs/ \
  && echo 'hosts: files dns' >/base/etc/nsswitch.conf \
  && printf '%s\n' 'root:x:0:0:root:/:/sbin/nologin' 'wimds:x:1501:1501:wimds:/:/sbin/nologin' >/base/etc/passwd \
  && printf '%s\n' 'root:x:0:' 'wimds:x:1501:' >/base/etc/group \
  && /image-root.sh /tools /usr/sbin/nft "$(readlink -f "$(command -v ip)")" \
  && cd /tools && find . -type f -exec cmp -s {} /base/{} \; -delete && find . -type d -empty -delete \
  && find /base /tools -exec touch --no-dereference --date=@0 {} +
# `wimds` and `wimds-node` on the PATH use the C library that Node needs too. The gate is linked statically with musl, whose
# licence requires only its notice.
COPY native /native
RUN flags='-std=gnu11 -Os -s -Wall -Wextra -Werror -D_FORTIFY_SOURCE=2 -fstack-protector-strong \
    -fstack-clash-protection -fPIE -pie -Wl,-z,relro,-z,now' \
  && mkdir /launchers /gate \
  && for name in wimds wimds-node; do gcc $flags -o /launchers/$name /native/$name.c || exit; done \
  && musl-gcc $flags -static -o /gate/wimds-gate /native/gate.c \
  && /image-root.sh /gate musl && rm -r /gate/usr/share/common-licenses \
  && find /gate -exec touch --no-dereference --date=@0 {} +

FROM ${BUILD_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
# Does not install scripts/node, the Node for machines with another version.
RUN npm ci --ignore-scripts --workspaces=false
COPY LICENSE ./
COPY examples/managed-identity examples/managed-identity
COPY scripts scripts
COPY src src
# Built with the Node of the images, since V8 accepts compiled code only from the same build of V8. The script succeeds even
# without compiled code, so the image build checks that there is some.
COPY --from=debian /base/nodejs /nodejs
RUN /nodejs/bin/node scripts/build.mjs && test -s dist/serve.cjs.cache
# Puts executables where people and the azure-workload-identity webhook call them. The first line of the script has the absolute
# path of the image's Node, since the image has no `env` to search the PATH.
COPY --from=debian /launchers /launchers
RUN for image in wimds wimds-cluster; do \
    app=/images/$image/app && mkdir -p "$app" /images/$image/usr/local/bin \
    && (cd dist && xargs cp --parents -t "$app" <images/$image/files) \
    && cp LICENSE dist/package.json dist/images/$image/THIRD-PARTY-LICENSES.txt dist/images/$image/sbom.cdx.json "$app" \
    && cp /launchers/wimds /images/$image/usr/local/bin/ \
    && sed -i '1s|^#!.*|#!/nodejs/bin/node|' "$app/wimds.js" && chmod 755 "$app/wimds.js" || exit; \
  done \
  && cp dist/serve.cjs.cache /images/wimds/app/ \
  && cp /launchers/wimds-node /images/wimds-cluster/usr/local/bin/ \
  && ln -s /usr/local/bin/wimds /images/wimds/proxy \
  && find /images -exec touch --no-dereference --date=@0 {} +

FROM scratch AS runtime
COPY --from=debian /base/ /

# glibc keeps freed memory in an arena per thread. With these settings it returns the memory (docs/performance.md).
ENV MALLOC_ARENA_MAX=1 \
    MALLOC_TRIM_THRESHOLD_=131072 \
    MALLOC_MMAP_THRESHOLD_=131072 \
    NODE_ENV=production \
    PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
WORKDIR /
ENTRYPOINT ["/nodejs/bin/node", "/app/wimds.js"]

FROM runtime AS wimds
COPY --from=build /images/wimds/ /

FROM wimds AS redirect
COPY --from=debian /tools/ /
# Only root may change the kernel's rules. The pod drops every capability but NET_ADMIN.
USER 0:0
CMD ["redirect"]

FROM runtime AS cluster
COPY --from=debian /tools/ /
COPY --from=build /images/wimds-cluster/ /
# The same restrictions as in the sidecar's image, below. The chart replaces them for the node agent, which starts programs.
ENV NODE_OPTIONS="--permission --allow-fs-read=/app --allow-fs-read=/var/run/secrets --allow-fs-read=/run/secrets --allow-fs-read=/etc/wimds --allow-fs-read=/etc/ssl --allow-fs-read=/tls --allow-fs-read=/proc/self/fd --disable-sigusr1 --report-exclude-env --no-experimental-sqlite"
USER 1501:1501
EXPOSE 8443 9440
CMD ["webhook"]

FROM scratch AS gate
COPY --from=debian /gate/ /
COPY LICENSE /
USER 65532:65532
ENTRYPOINT ["/wimds-gate"]

FROM wimds AS sidecar
# Node refuses to all commands what the sidecar does not need: other files, processes, threads, add-ons, debuggers.
# docs/security.md says how to allow more.
ENV NODE_OPTIONS="--permission --allow-fs-read=/app --allow-fs-read=/var/run/secrets --allow-fs-read=/run/secrets --allow-fs-read=/etc/wimds --allow-fs-read=/etc/ssl --allow-fs-read=/proc/self/fd --disable-sigusr1 --report-exclude-env --no-experimental-sqlite"
USER 1501:1501
EXPOSE 64169 9169
CMD ["serve"]
