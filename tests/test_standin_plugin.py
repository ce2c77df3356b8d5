"""The plugin's classes of the stand-in: properties, defaults, habits and config.xml as recorded, in both versions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.standin import StandIn

CONTRACT = Path(__file__).parent / "fixtures" / "contract"
RECORDED_CLOUDS = {"4238": "clouds-4238.config.xml", "1.29": "clouds-1.29.0.config.xml"}
PLUGIN = "org.csanchez.jenkins.plugins.kubernetes"
IMPORTS = "\n".join(f"import {PLUGIN}{package}.*" for package in ("", ".model", ".pod.retention", ".volumes")) + "\n"

pytestmark = pytest.mark.jvm


@pytest.fixture(scope="module", params=["4238", "1.29"])
def controller(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with StandIn(tmp_path_factory.mktemp("home"), plugin=request.param) as standin:
        yield standin


def saved(standin: StandIn) -> str:
    """Return the element of the clouds in config.xml."""
    text = (standin.home / "config.xml").read_text(encoding="utf-8")
    return text[text.index("<clouds>") : text.index("</clouds>") + len("</clouds>\n")]


# Properties, constructors and methods


@dataclass
class Recorded:
    superclass: str = ""
    constructors: set[str] = field(default_factory=set)
    properties: dict[str, str] = field(default_factory=dict)
    methods: set[str] = field(default_factory=set)


NOT_PLAYED = {
    "volumes.DynamicPVC": "an interface of the plugin's own volumes",
    "volumes.EphemeralVolume": "as DynamicPVC",
    "volumes.ProvisionedVolume": "as DynamicPVC",
    "volumes.PVCVolumeUtils": "texts of the web interface",
    "pod.retention.PodRetentionDescriptor": "belongs to the web interface",
    "pod.retention.Messages": "texts of the web interface",
    "pod.retention.PodOfflineCause": "agents never go offline here",
    "pod.retention.Reaper": "no pod is watched here",
    "KubernetesCloud.templateDescriptor": "belongs to the web interface",
    "KubernetesCloud.doCreate": "belongs to the web interface",
    "KubernetesCloud.reconfigure": "belongs to the web interface",
    "PodTemplate.doConfigSubmit": "belongs to the web interface",
    "PodTemplate.doDoDelete": "belongs to the web interface",
    "PodTemplate.descriptionForLogging": "its text was not recorded",
    "PodTemplate.build": "the pipeline runner makes pods",
    "KubernetesCloud.getMatchingTemplates": "the pipeline runner makes pods",
    "KubernetesCloud.getUnwrappedTemplate": "the pipeline runner makes pods",
    "KubernetesCloud.provision": "the pipeline runner makes pods",
    "KubernetesCloud.onTerminate": "the pipeline runner makes pods",
    "KubernetesCloud.addDynamicTemplate": "podTemplate steps run in the pipeline runner",
    "KubernetesCloud.removeDynamicTemplate": "podTemplate steps run in the pipeline runner",
    "KubernetesCloud.connect": "there is no cluster behind a stand-in's cloud",
}


def recorded_classes(version: str) -> dict[str, Recorded | None]:
    """Read properties.md as that version has it; None is a class of the other one only."""
    classes: dict[str, Recorded | None] = {}
    for section in (CONTRACT / "properties.md").read_text(encoding="utf-8").split("\n## ")[1:]:
        heading = re.match(r"(\S+)(?: \(extends (\S+)\))?(?: — (\S+) only)?", section)
        assert heading
        name, superclass, only = heading.groups()
        if name in NOT_PLAYED:
            continue
        if only and only != version:
            classes[name] = None
            continue
        lines = dict(re.findall(r"^- ([\w ]+): (.*)$", section, re.MULTILINE))
        found = classes[name] = Recorded(superclass or "")
        for text, wanted in re.findall(r"`([^`]+)`(?: `([\d.]+)`)?", lines.get("constructors", "")):
            found.constructors |= {text} if wanted in ("", version) else set()
        pattern = r"`(\w+)` (?:abstract )?([^`;]+ (?:rw|r|w))(?: `([\d.]+)`)?(?:;|$)"
        for property_, type_, wanted in re.findall(pattern, lines.get("properties", "")):
            if wanted in ("", version) and f"{name}.{property_}" not in NOT_PLAYED:
                found.properties[property_] = type_
        for text, wanted in re.findall(r"`([^`]+\))`(?: `([\d.]+)`)?", lines.get("other methods", "")):
            if wanted in ("", version) and f"{name}.{text.partition('(')[0]}" not in NOT_PLAYED:
                found.methods.add(text)
    return classes


def test_classes_have_what_was_recorded_and_nothing_else(controller: StandIn) -> None:
    recorded = recorded_classes(controller.plugin)
    script = (CONTRACT / "properties.groovy").read_text(encoding="utf-8")
    played = json.loads(controller.run(script.replace("NAMES", json.dumps(list(recorded)))))
    assert len(recorded) == 36
    for name, expected in recorded.items():
        if expected is None:
            assert played[name] is None, name
            continue
        found = played[name]
        assert set(found["constructors"]) == expected.constructors, name
        assert found["properties"] == expected.properties, name
        assert expected.methods <= set(found["methods"]), name
        assert expected.superclass in ("", found["superclass"]), name


def test_what_only_the_other_version_has_fails_as_there(controller: StandIn) -> None:
    newer = controller.plugin == "4238"
    strategy = controller.run(IMPORTS + "def t = new PodTemplate('x'); t.inheritYamlMergeStrategy = true; t")
    missing = "groovy.lang.MissingPropertyException: No such property: inheritYamlMergeStrategy for class: "
    assert strategy.startswith(missing) is not newer
    arguments = "'host', 'mount'" + (", true" if newer else "")
    assert controller.run(IMPORTS + f"new HostPathVolume({arguments}).mountPath") == "Result: mount\n"
    others = "'host', 'mount'" + ("" if newer else ", true")
    assert "Could not find matching constructor" in controller.run(IMPORTS + f"new HostPathVolume({others})")
    assert ("unable to resolve class" in controller.run(IMPORTS + "new DynamicPVCVolume()")) is not newer


# Defaults


DEFAULTS_OF_1_29 = {
    "nodeUsageMode=EXCLUSIVE",
    f"podRetention={PLUGIN}.pod.retention.Default [Default]",
    f"workspaceVolume={PLUGIN}.volumes.workspace.EmptyDirWorkspaceVolume [EmptyDirWorkspaceVolume [memory=false]]",
    "instanceCap=2147483647",
    "slaveConnectTimeout=100",
    "namespace=null",
    "yaml=null",
    f"yamlMergeStrategy={PLUGIN}.pod.yaml.Overrides [Override]",
    "showRawYaml=true",
    "hostNetwork=false",
    "hostNetworkSet=false",
    "idleMinutes=0",
    "id='x'",
}
# What every object of Jenkins has, and what belongs to the web interface.
CORE = {
    "descriptor", "ACL", "actions", "allActions", "icon", "iconAltText", "iconClassName", "search", "searchIndex",
    "searchName", "searchUrl", "templateDescriptor",
}  # fmt: skip


def sections(text: str) -> dict[str, list[str]]:
    """Return the lines below each `=== title`; an id at random and the controller's own address have one form."""
    text = re.sub(r"id='[0-9a-f-]{36}'", "id=random", re.sub(r"'http://127.0.0.1:\d+/'", "'http://controller/'", text))
    return {title: lines for title, *lines in (part.splitlines() for part in text.split("=== ")[1:])}


def test_defaults(controller: StandIn) -> None:
    said = sections(controller.run(CONTRACT / "defaults.groovy"))
    assert len(said) == 4
    if controller.plugin == "1.29":
        template = {line.partition("  (")[0] for line in said["new PodTemplate('x')"]}
        assert template >= DEFAULTS_OF_1_29
        return
    recorded = sections((CONTRACT / "defaults-4238.txt").read_text(encoding="utf-8"))
    for name, lines in said.items():
        assert lines == [line for line in recorded[name] if line.partition("=")[0] not in CORE], name


def test_a_new_template_in_xml(controller: StandIn) -> None:
    recorded = (CONTRACT / "defaults-4238.txt").read_text(encoding="utf-8")
    xml = recorded.partition("=== XStream of new PodTemplate('x')\n")[2].partition("===")[0]
    if controller.plugin == "1.29":
        xml = xml.replace("4238.v41b_3ef14a_5d8", "1.29.0").replace(">1000<", ">100<")
        strategy = f'  <yamlMergeStrategy class="{PLUGIN}.pod.yaml.Overrides"/>\n'
        xml = xml.replace("  <imagePullSecrets/>\n", f"  <imagePullSecrets/>\n{strategy}")
    assert controller.run(f"println Jenkins.XSTREAM2.toXML(new {PLUGIN}.PodTemplate('x'))") == xml


def test_the_usage_mode_is_written_when_it_is_normal(controller: StandIn) -> None:
    both = """['NORMAL', 'EXCLUSIVE'].collect {
        def template = new PodTemplate('x')
        template.nodeUsageMode = it
        def xml = Jenkins.XSTREAM2.toXML(template)
        [xml.contains('nodeUsageMode'), Jenkins.XSTREAM2.fromXML(xml).nodeUsageMode]
    }"""
    assert controller.run(IMPORTS + both) == "Result: [[true, NORMAL], [false, EXCLUSIVE]]\n"


# Lists


LISTS = {
    "iterators of clouds refuse remove": (
        """def changes = [{ it.removeAll { true } }, { it.removeIf { true } }, { it.retainAll([]) },
            { def all = it.iterator(); all.next(); all.remove() }]
        def refused = { change -> try { change(clouds) } catch (UnsupportedOperationException no) { 'refused' } }
        changes.collect(refused) + clouds*.name""",
        "[refused, refused, refused, refused, a, b]",
    ),
    "add saves": ("clouds.add(c); onDisk()", "[a, b, c]"),
    "addAll saves": ("clouds.addAll([c]); onDisk()", "[a, b, c]"),
    "remove saves": ("clouds.remove(b); onDisk()", "[a]"),
    "replaceBy saves": ("clouds.replaceBy([b]); onDisk()", "[b]"),
    "replace does not save": ("clouds.replace(b, c); [clouds*.name, onDisk()]", "[[a, c], [a, b]]"),
    "clear does not save": ("clouds.clear(); [clouds*.name, onDisk()]", "[[], [a, b]]"),
    "add trims labels": ("clouds.add(c); seen('c')", "[c]"),
    "replace does not trim": ("clouds.replace(b, c); seen('c')", "[]"),
    "clear does not trim": ("clouds.clear(); seen('a')", "[a]"),
    "a label remembers its clouds until trimmed": (
        "b.addTemplate(labelled('late')); [seen('late'), j.trimLabels(), seen('late')]",
        "[[], null, [b]]",
    ),
    "a change in place needs a save": (
        "a.templates[0].name = 'changed'; [xml().contains('changed'), j.save(), xml().contains('changed')]",
        "[false, null, true]",
    ),
    "setTemplates copies into a new list": (
        """def old = a.templates, mine = [labelled('x')]
        a.templates = mine
        mine.clear()
        [old*.id, a.templates*.id]""",
        "[[a], [x]]",
    ),
    "templates is the live list": ("a.templates.add(labelled('x')); a.templates*.id", "[a, x]"),
    "getAllTemplates is a copy that nobody changes": (
        "try { a.allTemplates.clear() } catch (UnsupportedOperationException refused) { 'refused' }",
        "refused",
    ),
    "templates know identity only": (
        """a.removeTemplate(labelled('a'))
        def left = a.templates.size()
        a.removeTemplate(a.templates[0])
        [left, a.templates]""",
        "[1, []]",
    ),
    "a cloud's equality includes its templates": (
        "def set = [a] as Set; def before = a in set; a.addTemplate(labelled('x')); [before, a in set, a == b]",
        "[true, false, false]",
    ),
    "the first of two clouds of one name is found": (
        "def twin = cloud('a'); clouds.add(twin); [j.getCloud('a').is(a), clouds.getByName('a').is(a), onDisk()]",
        "[true, true, [a, b, a]]",
    ),
}
HELPERS = f"""{IMPORTS}
import groovy.transform.Field
@Field j = Jenkins.get()
@Field clouds = j.clouds
def labelled(String name) {{ new PodTemplate(name).with {{ label = name; it }} }}
def cloud(String name) {{ new KubernetesCloud(name).with {{ templates = [owner.labelled(name)]; it }} }}
def xml() {{ new File(j.rootDir, 'config.xml').text }}
def onDisk() {{ xml().findAll(/<name>(.*)<.name>\\s+<templates/) {{ it[1] }} }}
def seen(String label) {{ j.getLabel(label).clouds*.name }}
def a = cloud('a'), b = cloud('b'), c = cloud('c')
clouds.replaceBy([a, b])
['a', 'c', 'late'].each {{ seen(it) }}
"""


@pytest.mark.parametrize("habit", LISTS)
def test_lists(controller: StandIn, habit: str) -> None:
    script, result = LISTS[habit]
    assert controller.run(HELPERS + script) == f"Result: {result}\n"


CONSTRUCTED = """
def template = labelled('t')
template.containers = [new ContainerTemplate('c', 'i', 'sleep', '9d'), new ContainerTemplate('alpine')]
template.yamls = ['kind: Pod']
def cloud = new KubernetesCloud('k', [template], 'https://s', '', ' http://j ', '7', 1, 2, 3)
def same = new PodTemplate(template)
println cloud.with { [templates*.id, serverUrl, namespace, jenkinsUrl, containerCap, connectTimeout,
    readTimeout, retentionTimeout] }
println new KubernetesCloud('copy', cloud).with { [name, templates*.id, jenkinsUrlOrDie] }
println same.with { [id, label, containers == template.containers, containers[0].is(template.containers[0]), yamls] }
println template.with { [command, image, remoteFs, containers*.name] }
println new PodTemplate('image', [new EmptyDirVolume('/v', null)]).with { [image, volumes*.mountPath, volumes*.memory] }
println new SecretVolume('/s', 'n').with { [mountPath, secretName, defaultMode, optional] }
println new PortMapping('p', 1, 2).with { [name, containerPort, hostPort] }
"""


def test_every_way_to_construct(controller: StandIn) -> None:
    assert controller.run(HELPERS + CONSTRUCTED).splitlines() == [
        "[[t], https://s, null, http://j, 7, 1, 2, 3]",
        "[copy, [t], http://j/]",
        "[t, t, true, false, [kind: Pod]]",
        "[sleep, i, /home/jenkins/agent, [c, null]]",
        "[image, [/v], [false]]",
        "[/s, n, null, false]",
        "[p, 1, 2]",
    ]


def test_replace_template_moves_it_to_the_end(controller: StandIn) -> None:
    script = "a.addTemplate(labelled('z')); a.replaceTemplate(a.templates[0], labelled('new')); a.templates*.id"
    said = controller.run(HELPERS + script)
    if controller.plugin == "1.29":
        assert said.startswith("groovy.lang.MissingMethodException")
    else:
        assert said == "Result: [z, new]\n"


# What stays


def test_config_xml_of_a_scripted_cloud(controller: StandIn) -> None:
    assert controller.run(CONTRACT / "clouds.groovy") == "On Failure\n"
    assert saved(controller) == (CONTRACT / RECORDED_CLOUDS[controller.plugin]).read_text(encoding="utf-8")


@pytest.mark.parametrize("plugin", RECORDED_CLOUDS)
def test_a_recorded_config_xml_is_loaded_and_saved_as_it_was(plugin: str, tmp_path: Path) -> None:
    recorded = (CONTRACT / RECORDED_CLOUDS[plugin]).read_text(encoding="utf-8")
    config = tmp_path / "config.xml"
    config.write_text(f"<?xml version='1.1' encoding='UTF-8'?>\n<hudson>\n  {recorded}</hudson>\n", encoding="utf-8")
    with StandIn(tmp_path, plugin=plugin) as standin:
        assert standin.run("Jenkins.get().save()") == ""
        assert "<version>" in config.read_text(encoding="utf-8"), "it was written anew"
        assert saved(standin) == recorded
        standin.run(HELPERS + "clouds.replaceBy([a, cloud('a'), b])")
        before = saved(standin)
        standin.restart()
        assert standin.run("Jenkins.get().with { save(); clouds*.name }") == "Result: [a, a, b]\n"
        assert saved(standin) == before


def test_agents_come_from_the_home_folder(controller: StandIn) -> None:
    agent = "j.addNode(new KubernetesSlave('a-1', a.templates[0], '', 'a', 'a'))"
    assert controller.run(HELPERS + agent) == ""
    tell = "Jenkins.get().nodes.collect { [it.nodeName, it.templateId, it.cloudName, it.assignedLabels*.name] }"
    assert controller.run(tell) == "Result: [[a-1, a, a, [a, a-1]]]\n"
    assert controller.run("def j = Jenkins.get(); j.removeNode(j.getNode('a-1')); j.nodes") == "Result: []\n"
