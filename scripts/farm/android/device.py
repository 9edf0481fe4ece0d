"""Android phones over adb: `Device` and `Discovery`."""

import shlex
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from export.manifest import Manifest
from scripts.farm.android import server_life, state
from scripts.farm.android.app import PACKAGE, apk_hash, media_dir_of, stop_run
from scripts.farm.android.link import AdbLink
from scripts.farm.android.push import PUSH_ROOT, Pushed
from scripts.farm.android.push import push as push_artifact
from scripts.farm.android.run import AdbRun, UnreadableArtifactError
from scripts.farm.android.server import (
    USERS_PORT,
    AdbServer,
    anything_to_find,
    device_error,
    is_listening,
    own_server,
)
from scripts.farm.device import (
    Device,
    DeviceError,
    DeviceIdentity,
    DeviceState,
    DiscoveryOptions,
    Problem,
    Progress,
    Remember,
)
from scripts.records import Concern, ConcernCode, DeviceFacts, DeviceKind, RunRecord, RunRequest, Severity

INSTALL_S = 300.0
_SETTLING = ("offline", "authorizing", "connecting")
_SETTLE_S = 3.0
# Not as long as before a run: somebody may wait for the farm to end, and the next one restores what is left.
_RESTORE_S = 20.0


class AdbDevice:
    """Implements `scripts.farm.device.Device`."""

    def __init__(self, link: AdbLink, identity: DeviceIdentity, sdk: int, options: DiscoveryOptions) -> None:
        self._link, self._identity, self._sdk, self._options = link, identity, sdk, options
        self._pushed: dict[str, Pushed] = {}
        self._media_dir: str | None = None
        self._push_root = PUSH_ROOT
        self._refused: tuple[str, ...] = ()

    @property
    def identity(self) -> DeviceIdentity:
        """The serial number is the id, also for a phone that is reached over TCP."""
        return self._identity

    @property
    def address(self) -> str:
        """How adb reaches it."""
        return self._link.serial

    async def boot_id(self) -> str | None:
        """Another one for every phone and every start of it; None where it may not be read."""
        done = await self._link.shell("cat /proc/sys/kernel/random/boot_id")
        return done.out.strip() or None

    def renamed(self, options: DiscoveryOptions) -> "AdbDevice":
        """The same phone, known by its serial number and its address."""
        device_id = f"{self._identity.device_id}@{self.address}"
        identity = replace(self._identity, device_id=device_id, labels=options.labels_of(device_id))
        return AdbDevice(self._link, identity, self._sdk, options)

    async def prepare(self, remember: Remember) -> None:
        """See `scripts.farm.android.state.prepare`. What the phone refuses to set becomes a concern of its runs."""
        airplane = self._options.airplane_mode
        if airplane and self._link.over_tcp and self._identity.kind is DeviceKind.PHONE:
            hint = "leave discovery.airplane_mode out, or use a cable"
            raise DeviceError(f"airplane_mode would cut off {self._link.serial}", hint=hint)
        await self._link.settle()
        self._refused = await state.prepare(self._link, remember, self._sdk, airplane)

    async def restore(self, prior: Mapping[str, str]) -> None:
        """See `scripts.farm.android.state.restore`."""
        await self._link.settle(_RESTORE_S)
        await state.restore(self._link, prior)

    async def state(self) -> DeviceState:
        """Battery, heat, and whether they are faked."""
        return await state.read_state(self._link)

    async def install(self) -> str:
        """Install the APK of the options unless the phone has the same one; without one, what is there is used."""
        installed = await self._installed_hash()
        apk = self._options.android_apk
        if apk is None and installed is None:
            hint = "give it with --apk, or as discovery.android_apk in the campaign file"
            raise DeviceError(f"{PACKAGE} is not installed on {self._identity.device_id}", hint=hint)
        if apk is not None and (wanted := apk_hash(apk)) != installed:
            await self._install(apk)
            installed = await self._installed_hash()
            if installed != wanted:
                raise DeviceError(
                    f"{apk.name} was installed, but the phone has another package", hint="install by hand"
                )
        assert installed is not None
        self._media_dir = await media_dir_of(self._link)
        return installed

    async def _install(self, apk: Path) -> None:
        # Without -g, which several makers refuse: the app asks for no permission.
        done = await self._link.adb(["install", "-r", "-t", str(apk)], INSTALL_S)
        if done.code or "Success" not in done.out:
            raise device_error(f"{apk.name} was not installed: {done.text}")

    async def _installed_hash(self) -> str | None:
        found = await self._link.shell(f"pm path {PACKAGE}")
        paths = [line.removeprefix("package:").strip() for line in found.out.splitlines() if ":" in line]
        if found.code or not paths:
            return None
        base = next((path for path in paths if path.endswith("base.apk")), paths[0])
        return (await self._link.must(f"sha256sum {shlex.quote(base)}")).split()[0]

    async def push(self, folder: Path, manifest: Manifest) -> str:
        """See `scripts.farm.android.push`."""
        pushed = await push_artifact(self._link, folder, manifest, self._push_root)
        self._pushed[pushed.path] = pushed
        return pushed.path

    async def run(
        self, request: RunRequest, pushed: str, on_progress: Callable[[Progress], None], deadline_s: float
    ) -> RunRecord:
        """See `scripts.farm.android.run`. `pushed` is what `push` of this object has returned.

        Raises:
            DeviceError: besides the device's own, it is not.
        """
        if (known := self._pushed.get(pushed)) is None:
            raise DeviceError(f"{pushed} was not pushed by this process", hint="run the same command again")
        try:
            record = await self._run(request, known, on_progress, deadline_s)
        except UnreadableArtifactError:
            if known.root != PUSH_ROOT:
                raise
            self._push_root = f"{await self._media()}/pushed"
            path = await self.push(known.folder, known.manifest)
            record = await self._run(request, self._pushed[path], on_progress, deadline_s)
        concerns = tuple(
            Concern(code=ConcernCode.NOT_PREPARED, severity=Severity.WARNING, detail=detail) for detail in self._refused
        )
        return record.model_copy(update={"concerns": (*record.concerns, *concerns)})

    async def _run(
        self, request: RunRequest, pushed: Pushed, on_progress: Callable[[Progress], None], deadline_s: float
    ) -> RunRecord:
        run = AdbRun(self._link, await self._media(), self._identity.facts, request, pushed)
        return await run.run(on_progress, deadline_s)

    async def abort(self, run_id: str) -> None:
        """Stop the harness and remove the run's files."""
        await stop_run(self._link, await self._media(), run_id)

    async def _media(self) -> str:
        if self._media_dir is None:
            self._media_dir = await media_dir_of(self._link)
        return self._media_dir


class AdbDiscovery:
    """Implements `scripts.farm.device.Discovery`."""

    def __init__(self, options: DiscoveryOptions) -> None:
        self._options = options
        self._problems: list[Problem] = []

    async def devices(self) -> list[Device]:
        """Of all servers; a phone that is reached twice is used once, by cable if there is one.

        Phones to which their maker gave one serial number are told apart by the addresses at which adb reaches them.
        """
        self._problems = []
        found: list[AdbDevice] = []
        for server in self._servers():
            try:
                links = await self._links(server)
            except DeviceError as error:
                self._tell(f"adb server {server.host}:{server.port}", str(error), error.hint)
                continue
            for link in sorted(links, key=lambda link: link.over_tcp):
                if device := await self._device(link):
                    found.append(device)
        return list(await self._told_apart(found))

    async def _told_apart(self, found: list[AdbDevice]) -> list[AdbDevice]:
        ids = Counter(device.identity.device_id for device in found)
        unique = [device for device in found if ids[device.identity.device_id] == 1]
        for device_id in (device_id for device_id, count in ids.items() if count > 1):
            phones: dict[str, AdbDevice] = {}
            for device in (each for each in found if each.identity.device_id == device_id):
                phones.setdefault(await device.boot_id() or "", device)
            if len(phones) == 1:
                unique += phones.values()
                continue
            unique += [device.renamed(self._options) for device in phones.values()]
            names = ", ".join(device.address for device in phones.values())
            what = f"{len(phones)} phones share this serial number; each is known by it and its address: {names}"
            self._tell(device_id, what, "keep their addresses the same: they are part of their names in the records")
        return unique

    async def problems(self) -> list[Problem]:
        """Phones that are not ready, servers that do not answer."""
        return self._problems

    def _servers(self) -> list[AdbServer]:
        if self._options.adb_endpoints:
            pairs = [endpoint.rpartition(":") for endpoint in self._options.adb_endpoints]
            return [AdbServer(host, int(port)) for host, _, port in pairs]
        server = own_server()
        return [server] if self._options.adb_connect or anything_to_find(server) else []

    async def _links(self, server: AdbServer) -> list[AdbLink]:
        await server_life.ensure(server)
        for endpoint in self._options.adb_connect:
            if wrong := await server.connect(endpoint):
                error = device_error(wrong)
                self._tell(endpoint, str(error), error.hint or "is the phone on, and `adb tcpip 5555` or pairing done?")
        listed = Counter(serial for serial, _ in await server.listed())
        for serial in (serial for serial, count in listed.items() if count > 1):
            error = device_error(f"more than one device with serial {serial}")
            self._tell(serial, f"{listed[serial]} phones share this serial number; adb cannot choose one", error.hint)
        serials = [serial for serial, count in listed.items() if count == 1]
        if server.home and not listed and is_listening("127.0.0.1", USERS_PORT):
            hint = f"adb kill-server, or use that server: --adb-server 127.0.0.1:{USERS_PORT}"
            self._tell("android", f"another adb server, on port {USERS_PORT}, may hold the phones", hint)
        return [AdbLink(server, serial) for serial in serials if await self._is_ready(AdbLink(server, serial))]

    async def _is_ready(self, link: AdbLink) -> bool:
        state = await link.state()
        if state in _SETTLING:
            try:
                await link.settle(_SETTLE_S)
            except DeviceError:
                state = await link.state()
            else:
                return True
        if state != "device":
            shown = "unauthorized" if state == "authorizing" else state
            error = device_error(f"{shown}: adb cannot use it")
            self._tell(link.serial, str(error), error.hint or "restart the phone into Android")
        return state == "device"

    async def _device(self, link: AdbLink) -> AdbDevice | None:
        try:
            properties = await link.properties()
            sdk = int(properties.get("ro.build.version.sdk", ""))
        except (DeviceError, ValueError) as error:
            self._tell(link.serial, f"its properties cannot be read: {error}", "restart the phone")
            return None
        identity = identity_of(properties, link.serial, self._options)
        return AdbDevice(link, identity, sdk, self._options)

    def _tell(self, who: str, what: str, what_to_do: str) -> None:
        self._problems.append(Problem(who=who, what=what, what_to_do=what_to_do))


def identity_of(properties: Mapping[str, str], serial: str, options: DiscoveryOptions) -> DeviceIdentity:
    """Who a device is by its properties. Emulators share their serial number, so adb's name is theirs."""
    kind = _kind(properties)
    device_id = serial if kind is DeviceKind.EMULATOR else properties.get("ro.serialno") or serial
    abis = properties.get("ro.product.cpu.abilist", "").split(",")
    facts = DeviceFacts(
        kind=kind, os="android", os_version=properties.get("ro.build.version.release", "unknown"),
        os_build=properties.get("ro.build.fingerprint", "unknown"),
        manufacturer=properties.get("ro.product.manufacturer"), model=properties.get("ro.product.model", "unknown"),
        soc=properties.get("ro.soc.model") or properties.get("ro.board.platform") or None,
        abi=properties.get("ro.product.cpu.abi") or abis[0] or "unknown", cores=(), ram_bytes=None,
    )  # fmt: skip
    return DeviceIdentity(device_id=device_id, facts=facts, labels=options.labels_of(device_id))


def _kind(properties: Mapping[str, str]) -> DeviceKind:
    if properties.get("ro.deepnarrow.fake") == "1":
        return DeviceKind.FAKE
    is_emulated = "1" in (properties.get("ro.kernel.qemu"), properties.get("ro.boot.qemu"))
    return DeviceKind.EMULATOR if is_emulated else DeviceKind.PHONE
