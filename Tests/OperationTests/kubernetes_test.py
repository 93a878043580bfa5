"""The manifests in docker/kubernetes: by the schemas of Kubernetes, by what they say of each other, and a node started as they
say. A cluster is not asked."""

import os
import re
import tempfile
import unittest
import urllib.request

import kubernetes_validate
import yaml

from places import DOCKER, ROOT
from site_of_nodes import SECRET, Node, Site

FOLDER = DOCKER / "kubernetes"
SETTINGS = FOLDER / "martlet.yaml"
# Of kinds that are not Kubernetes' own: what each has at least, and what it may have besides.
OTHERS = {
    "Kustomization": ({"apiVersion", "kind", "resources"}, {"namespace", "images", "configMapGenerator"}),
    "Component": ({"apiVersion", "kind", "resources"}, set()),
    "ServiceMonitor": ({"apiVersion", "kind", "metadata", "spec"}, set()),
}


def seconds(text):
    return int(re.fullmatch(r"(\d+)s", text)[1])


class KubernetesTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        files = [file for file in sorted(FOLDER.rglob("*.yaml")) if file != SETTINGS]
        cls.files = {file: list(yaml.safe_load_all(file.read_text())) for file in files}
        cls.objects = {(found["kind"], found.get("metadata", {}).get("name")): found
                       for every in cls.files.values() for found in every}
        cls.deployment = cls.objects["Deployment", "martlet"]
        cls.pod = cls.deployment["spec"]["template"]
        [cls.container] = cls.pod["spec"]["containers"]
        cls.settings = yaml.safe_load(SETTINGS.read_text())

    def test_every_object_is_as_the_schemas_of_kubernetes_say_and_has_no_field_that_they_do_not_know(self):
        checked = 0
        for file, every in self.files.items():
            for found in every:
                if found["kind"] in OTHERS:
                    needed, allowed = OTHERS[found["kind"]]
                    self.assertLessEqual(needed, found.keys(), file)
                    self.assertLessEqual(found.keys(), needed | allowed, file)
                else:
                    kubernetes_validate.validate(found, "1.37", strict=True)
                    checked += 1
        self.assertGreaterEqual(checked, 7)

    def test_what_the_schemas_refuse_is_seen(self):
        wrong = yaml.safe_load((FOLDER / "deployment.yaml").read_text())
        wrong["spec"]["template"]["spec"]["containers"][0]["livenessProb"] = {}
        with self.assertRaises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(wrong, "1.37", strict=True)

    def test_every_manifest_is_named_by_its_kustomization_and_every_name_is_there(self):
        for file, [one, *_] in self.files.items():
            if one["kind"] not in ("Kustomization", "Component"):
                continue
            self.assertEqual(set(one["resources"]),
                             {other.name for other in self.files if other.parent == file.parent and other != file})
        [settings] = self.objects["Kustomization", None]["configMapGenerator"]
        self.assertEqual((settings["name"], settings["files"]), ("martlet", ["martlet.yaml"]))
        components = re.findall(r"^#  - (\w+)$", (FOLDER / "kustomization.yaml").read_text(), re.M)
        self.assertEqual(set(components), {file.name for file in FOLDER.iterdir() if file.is_dir()})

    def test_selectors_find_the_pods_and_ports_have_their_names(self):
        labels = self.pod["metadata"]["labels"]
        ports = {port["name"]: port["containerPort"] for port in self.container["ports"]}
        selectors = [self.deployment["spec"]["selector"]["matchLabels"]]
        selectors += [spread["labelSelector"]["matchLabels"] for spread in self.pod["spec"]["topologySpreadConstraints"]]
        selectors += [self.objects["PodDisruptionBudget", "martlet"]["spec"]["selector"]["matchLabels"]]
        policy = self.objects["NetworkPolicy", "martlet"]["spec"]
        selectors += [policy["podSelector"]["matchLabels"]]
        services = [found for (kind, _), found in self.objects.items() if kind == "Service"]
        selectors += [service["spec"]["selector"] for service in services]
        for selector in selectors:
            self.assertLessEqual(selector.items(), labels.items())
        for service in services:
            for port in service["spec"]["ports"]:
                self.assertEqual(port["port"], ports[port["targetPort"]])
        for rule in policy["ingress"]:
            self.assertLessEqual({port["port"] for port in rule["ports"]}, ports.keys())
        target = self.objects["HorizontalPodAutoscaler", "martlet"]["spec"]["scaleTargetRef"]
        self.assertEqual((target["kind"], target["name"]), ("Deployment", "martlet"))
        monitor = self.objects["ServiceMonitor", "martlet"]["spec"]
        [watched] = [one for one in services
                     if monitor["selector"]["matchLabels"].items() <= one["metadata"]["labels"].items()]
        self.assertEqual([one["port"] for one in monitor["endpoints"]], [port["name"] for port in watched["spec"]["ports"]])
        for path in self.objects["Ingress", "martlet"]["spec"]["rules"][0]["http"]["paths"]:
            self.assertEqual(path["backend"]["service"], {"name": "martlet", "port": {"name": "clients"}})

    def test_a_pod_has_the_time_that_its_drain_takes(self):
        [_, pause] = self.container["lifecycle"]["preStop"]["exec"]["command"]
        drain = seconds(self.settings["drain"]["timeout"])
        self.assertGreaterEqual(self.pod["spec"]["terminationGracePeriodSeconds"], int(pause) + drain + 10)
        readiness = self.container["readinessProbe"]
        self.assertLessEqual(readiness["periodSeconds"] * readiness["failureThreshold"], int(pause))

    def test_two_of_three_pods_have_room_for_all_that_three_have_before_more_are_added(self):
        scaler = self.objects["HorizontalPodAutoscaler", "martlet"]["spec"]
        [target] = [metric["pods"]["target"] for metric in scaler["metrics"] if metric["type"] == "Pods"]
        most = self.settings["client"]["maxConnections"]
        least = scaler["minReplicas"]
        self.assertLess(least * int(target["averageValue"]), (least - 1) * most)

    def test_a_service_puts_no_variable_of_its_own_in_place_of_a_setting(self):
        """MARTLET_API_PORT is a setting, and what Kubernetes calls the port of a Service named martlet-api."""
        self.assertIs(self.pod["spec"]["enableServiceLinks"], False)

    def test_a_node_starts_with_what_the_deployment_gives_it(self):
        secrets = {"api-key": "0123456789abcdef", "auth-secret": SECRET}
        with Site() as site, tempfile.TemporaryDirectory() as folder:
            secrets["redis-url"] = site.redis_url
            volumes = {volume["name"]: volume for volume in self.pod["spec"]["volumes"]}
            for item in volumes["secrets"]["secret"]["items"]:
                with open(os.path.join(folder, item["path"]), "w") as file:
                    file.write(secrets.pop(item["key"]) + "\n")
            self.assertEqual(secrets, {}, "the Deployment mounts all that the page tells to put into the Secret")
            mounts = {mount["name"]: mount["mountPath"] for mount in self.container["volumeMounts"]}
            places = {mounts["secrets"]: folder, mounts["settings"]: str(FOLDER)}

            def here(text):
                for there, place in places.items():
                    text = text.replace(there, place)
                return text

            variables = {one["name"]: here(one.get("value", "pod-1")) for one in self.container["env"]}
            known = (ROOT / "config/martlet.yaml").read_text()
            for name in variables:
                self.assertRegex(known, rf"\b{name}\b")
            # Nothing of a test's own but the addresses, which are this machine's, and lines that it can read.
            own = dict.fromkeys(["MARTLET_API_KEY", "MARTLET_REDIS_URL", "MARTLET_AUTH_MODE", "MARTLET_AUTH_SECRET"])
            own |= {"MARTLET_CLIENT_HOST": "127.0.0.1", "MARTLET_API_HOST": "127.0.0.1", "MARTLET_LOG_FORMAT": "text"}
            node = Node("", "", own | variables, [here(one) for one in self.container["args"]])
            site.nodes.append(node)
            try:
                with urllib.request.urlopen(node.url("/healthz"), timeout=10) as answer:
                    self.assertEqual(answer.status, 200)
                self.assertIn("pod-1", "".join(node.lines))
            finally:
                node.drain()
                self.assertEqual(node.process.wait(timeout=30), 0)


if __name__ == "__main__":
    unittest.main()
