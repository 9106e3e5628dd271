# Builds package.zip where there is no Debian 12 at hand:
#
#   docker build -t lambda-packager .
#   docker run --rm --volume $(pwd):/lambda lambda-packager package
#   docker run --rm --volume $(pwd):/lambda lambda-packager package ARCH=arm64
#
# NOT RUN: the machines on which this project is made have no Docker. `make package` was run there on Debian 12, the
# system inside this image; of the packages for ARCH=arm64 only the names were looked up, and on an arm64 host nothing.
#
# Debian 12 because of its glibc: what is built against it asks for nothing newer than Amazon Linux 2023 has, and
# `make package` checks that.
FROM rust:1.95-bookworm

# The last one is the compiler for the other of the two architectures.
RUN case "$(dpkg --print-architecture)" in arm64) other=x86-64 ;; *) other=aarch64 ;; esac \
    && apt-get update \
    && apt-get install -y --no-install-recommends advancecomp binutils make unzip zip \
        "gcc-$other-linux-gnu" "libc6-dev-$(echo $other | sed 's/aarch64/arm64/; s/x86-64/amd64/')-cross" \
    && rm -rf /var/lib/apt/lists/*

# The toolchain that the project pins, once here rather than in every run.
COPY rust-toolchain.toml /toolchain/
RUN cd /toolchain && cargo --version \
    && rustup target add x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu

# Programs that the host built, against the host's glibc, may not run in here: a folder of its own.
ENV CARGO_TARGET_DIR=/lambda/target/docker

WORKDIR /lambda
ENTRYPOINT ["make"]
CMD ["package"]
