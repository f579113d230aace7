#include "io/safetensors.h"

#include <cstring>
#include <limits>
#include <sys/resource.h>
#include <csignal>

#include "check.h"
#include "core/status.h"
#include "temporary.h"

using namespace exitrl;

namespace {

std::string file_text(const std::string& header, const std::string& data) {
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + data;
}

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}

template <class T>
std::string bytes(std::initializer_list<T> values) {
  return {reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(T)};
}

}  // namespace

TEST(safetensors_round_trip) {
  TemporaryFolder folder;
  const std::vector<float> a{1, -2, 3.5f, 0, 1e-40f, 6}, b{7};
  write_safetensors(folder.file("x.safetensors"), {{"a", {2, 3}, a.data()}, {"b \"quoted\"", {}, b.data()}, {"none", {0, 4}, nullptr}},
                    {{"step", "3"}});
  const SafetensorsFile file(folder.file("x.safetensors"));
  CHECK(file.tensors().size() == 3);
  CHECK(file.metadata().at("step") == "3");
  CHECK(file.find("c") == nullptr);
  const Tensor* tensor = file.find("a");
  CHECK((tensor->shape == std::vector<int64_t>{2, 3}));
  std::vector<float> out(6);
  file.read(*tensor, out.data());
  CHECK(out == a);
  CHECK(file.find("b \"quoted\"")->count == 1);
  CHECK(file.find("none")->count == 0);
  CHECK((tensor->data - static_cast<const std::byte*>(nullptr)) % 4 == 0);
  CHECK(folder.count() == 1);
}

TEST(safetensors_widens) {
  TemporaryFolder folder;
  const auto read = [&](const std::string& dtype, const std::string& data, int64_t n) {
    const std::string header = "{" + entry("x", dtype, "[" + std::to_string(n) + "]", "[0," + std::to_string(data.size()) + "]") + "}";
    // An odd header length puts the data at an odd address: older files do that.
    const SafetensorsFile file(folder.write("w", file_text(header + std::string(header.size() % 2 == 0, ' '), data)));
    std::vector<float> out(static_cast<size_t>(n));
    file.read(*file.find("x"), out.data());
    return out;
  };
  CHECK((read("F64", bytes<double>({0.1, -2}), 2) == std::vector<float>{0.1f, -2}));
  CHECK((read("F32", bytes<float>({0.1f, -2}), 2) == std::vector<float>{0.1f, -2}));
  CHECK((read("BF16", bytes<uint16_t>({0x3F80, 0xC040, 0x0001}), 3) == std::vector<float>{1, -3, 0x1.0p-133f}));
  const auto half = read("F16", bytes<uint16_t>({0x3C00, 0xC200, 0x7BFF, 0x0400, 0x0001, 0x83FF, 0x7C00, 0xFC00, 0x8000}), 9);
  const float inf = std::numeric_limits<float>::infinity();
  CHECK((half == std::vector<float>{1, -3, 65504, 0x1.0p-14f, 0x1.0p-24f, -1023 * 0x1.0p-24f, inf, -inf, -0.0f}));
  CHECK(std::signbit(half[8]));
  CHECK(std::isnan(read("F16", bytes<uint16_t>({0x7E00}), 1)[0]));
  CHECK_THROWS(read("I32", bytes<int32_t>({1}), 1), "expected floating-point");
}

TEST(safetensors_refuses) {
  TemporaryFolder folder;
  const std::string four(16, '\0');
  const auto refuses = [&](const std::string& content, const std::string& message) {
    const std::string path = folder.write("bad.safetensors", content);
    const std::string thrown = check::thrown([&] { SafetensorsFile file(path); });
    if (thrown.find(message) == std::string::npos || thrown.find("bad.safetensors") == std::string::npos)
      check::failed(__FILE__, __LINE__, "expected \"" + message + "\", got \"" + thrown + "\"");
  };
  const auto header = [&](const std::string& h, const std::string& message) { refuses(file_text(h, four), message); };
  const std::string whole = entry("x", "F32", "[4]", "[0,16]");
  refuses("", "has 0 bytes");
  refuses("1234567", "has 7 bytes");
  refuses(std::string("\xff\xff\xff\xff\xff\xff\xff\xff", 8), "not a safetensors file");
  refuses(file_text("{" + whole + "}", four).substr(0, 20), "header ends after the file");
  refuses(file_text("{" + whole + "}", four.substr(1)), "\"x\": its data ends at byte 16 of 15");
  refuses(file_text("{" + whole + "}", four + "z"), "1 bytes after the last tensor");
  refuses(file_text("", ""), "does not start with {");
  header("[]", "does not start with {");
  header("{" + whole, "not valid JSON");
  header("{" + whole + "," + whole + "}", "duplicate key \"x\"");
  header("{\"x\":3}", "not an object");
  header("{" + entry("x", "F8_E4M3", "[16]", "[0,16]") + "}", "dtype F8_E4M3 is not supported");
  header("{" + entry("x", "F32", "[5]", "[0,16]") + "}", "needs 20 bytes, data_offsets give 16");
  header("{" + entry("x", "F64", "[4]", "[0,16]") + "}", "needs 32 bytes");
  header("{" + entry("x", "F32", "[-4]", "[0,16]") + "}", "not a size");
  header("{" + entry("x", "F32", "[4.0]", "[0,16]") + "}", "not a size");
  header("{" + entry("x", "F32", "[4294967296,4294967296]", "[0,16]") + "}", "is too large");
  header("{" + entry("x", "F32", "[4611686018427387904]", "[0,16]") + "}", "is too large");
  header("{" + entry("x", "F32", "[4]", "[16,0]") + "}", "run backwards");
  header("{" + entry("x", "F32", "[4]", "[-1,16]") + "}", "two sizes");
  header("{" + entry("x", "F32", "[4]", "[0,16,32]") + "}", "[begin, end]");
  header("{" + entry("x", "F32", "[4]", "[0,18446744073709551616]") + "}", "two sizes");
  header("{" + entry("x", "F32", "[2]", "[0,8]") + "," + entry("y", "F32", "[3]", "[4,16]") + "}", "\"y\": its data overlaps");
  header("{" + entry("x", "F32", "[1]", "[0,4]") + "," + entry("y", "F32", "[2]", "[8,16]") + "}", "\"y\": a gap of 4 bytes");
  header("{\"x\":{\"dtype\":\"F32\",\"shape\":[4]}}", "data_offsets");
  header("{\"x\":{\"dtype\":\"F32\",\"data_offsets\":[0,16]}}", "shape is missing");
  header("{\"__metadata__\":{\"a\":1}," + whole + "}", "__metadata__.a is not a string");
  CHECK_THROWS(SafetensorsFile(folder.file("absent")), "cannot open");
  CHECK_THROWS(SafetensorsFile(folder.path.string()), "Is a directory");
}

// Narrow types, and what they cannot hold.
TEST(safetensors_writes_narrow_types) {
  TemporaryFolder folder;
  const std::vector<float> x{1, -3, 0x1.01p0f, 65504}, large{1, 65520};
  write_safetensors(folder.file("x"), {{"a", {4}, x.data(), Dtype::bf16}, {"b", {2, 2}, x.data(), Dtype::f16}, {"c", {4}, x.data()}});
  const SafetensorsFile file(folder.file("x"));
  std::vector<float> out(4);
  file.read(*file.find("a"), out.data());
  CHECK((out == std::vector<float>{1, -3, 1, 65536}));
  file.read(*file.find("b"), out.data());
  CHECK((out == x));
  CHECK(file.find("c")->dtype == Dtype::f32);
  std::vector<uint16_t> raw(2);
  file.read(*file.find("b"), 1, 2, Dtype::bf16, reinterpret_cast<std::byte*>(raw.data()));
  CHECK((raw == std::vector<uint16_t>{0xC040, 0x3F80}));
  CHECK_THROWS(write_safetensors(folder.file("y"), {{"big", {2}, large.data(), Dtype::f16}}), "\"big\" has a number that F16 cannot hold");
  CHECK(folder.count() == 1);
}

// A file that is cut short while it is mapped: its pages are gone, and touching them is an error, not the end.
TEST(safetensors_cut_short_while_open) {
  TemporaryFolder folder;
  const std::vector<float> x(1 << 16, 1.0f);
  write_safetensors(folder.file("x"), {{"a", {1 << 16}, x.data()}});
  const SafetensorsFile file(folder.file("x"));
  std::vector<float> out(x.size());
  file.read(*file.find("a"), out.data());
  file.check_size();
  std::filesystem::resize_file(folder.path / "x", 100'000);
  CHECK_THROWS(file.read(*file.find("a"), out.data()), "the file changed while it was read: it had ");
  CHECK_THROWS(file.check_size(), "now has 100000");
  file.read(*file.find("a"), 0, 1000, Dtype::f32, reinterpret_cast<std::byte*>(out.data()));  // what is left still reads
  CHECK_THROWS(file.read_bytes(*file.find("a"), reinterpret_cast<std::byte*>(out.data())), "the file changed");
}

// Every truncation and every flipped byte of a small file: an error or a file, never a crash (see npm run sanitize).
TEST(safetensors_survives_damage) {
  TemporaryFolder folder;
  const std::string good = file_text("{" + entry("x", "F32", "[2]", "[0,8]") + "," + entry("y", "BF16", "[2]", "[8,12]") + "}",
                                     std::string(12, 'a'));
  const auto open = [&](const std::string& content) {
    const std::string path = folder.write("d", content);
    try {
      const SafetensorsFile file(path);
      std::vector<float> out(64);
      for (const Tensor& t : file.tensors())
        if (t.count <= 64) file.read(t, out.data());
      return true;
    } catch (const Error&) {
      return false;
    }
  };
  CHECK(open(good));
  for (size_t n = 0; n < good.size(); ++n) CHECK(!open(good.substr(0, n)));
  for (size_t i = 0; i < good.size(); ++i)
    for (const char flip : {'\x01', '\x80', '\x04'}) {
      std::string bad = good;
      bad[i] = char(bad[i] ^ flip);
      open(bad);
    }
}

TEST(safetensors_write_failure_keeps_the_old_file) {
  TemporaryFolder folder;
  const std::string path = folder.file("x.safetensors");
  const std::vector<float> old{1}, large(1 << 16);
  write_safetensors(path, {{"a", {1}, old.data()}});

  // A file size limit stands in for a full disk.
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1 << 12, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const std::string message = check::thrown([&] { write_safetensors(path, {{"a", {1 << 16}, large.data()}}); });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);

  CHECK(message.find("cannot write " + path) != std::string::npos);
  CHECK(folder.count() == 1);
  CHECK(SafetensorsFile(path).find("a")->count == 1);
  CHECK_THROWS(write_safetensors(folder.file("no/such/folder"), {{"a", {1}, old.data()}}), "cannot write");
}
